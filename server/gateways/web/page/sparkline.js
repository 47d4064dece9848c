// A line of the last values, without axes: what it says is in the table beside it as well.

const WIDTH = 160; // as the template in index.html has them
const HEIGHT = 32;
const EDGE = 2;
export const MAX_POINTS = 120; // of a line

// Returns an SVG without a line.
export const sparkline = () => document.getElementById("sparkline").content.firstElementChild.cloneNode(true);

// Draws the points [time, value], the oldest first.
export function draw(element, points) {
  const times = points.map(([at]) => at);
  const values = points.map(([, value]) => value);
  const place = (value, low, high, size) => EDGE + (high > low ? (value - low) / (high - low) : 0.5) * (size - 2 * EDGE);
  const [first, last] = [times[0], times.at(-1)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const text = points.map(([at, value]) =>
    `${place(at, first, last, WIDTH).toFixed(1)},${(HEIGHT - place(value, low, high, HEIGHT)).toFixed(1)}`);
  element.firstChild.setAttribute("points", points.length > 1 ? text.join(" ") : "");
}
