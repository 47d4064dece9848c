"""Words of which the description of the API (openapi.py) is made: schemas, answers, parameters."""

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
SECONDS = {"type": "number", "minimum": 0}
TIME = {"type": ["number", "null"], "description": "UTC, seconds since 1970; null: never"}
MAYBE = {"type": ["number", "null"], "minimum": 0, "description": "null: not known"}
NOW = {**TIME, "type": "number", "description": "The server's clock, UTC, seconds since 1970"}


def object_of(**properties):
    """Returns the schema of an object that has all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def list_of(items):
    """Returns the schema of a list."""
    return {"type": "array", "items": items}


def ref(name):
    """Returns the reference to a schema of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_content(schema):
    """Returns the content of a body or answer in JSON."""
    return {"application/json": {"schema": schema}}


def answers(schema, *failures):
    """Returns the answers of an operation: 200 with this schema, and these failures."""
    texts = {
        400: "It is no JSON", 401: "Nobody is logged in", 403: "The role does not allow it, or it comes from elsewhere",
        404: "There is no such client or bus", 409: "It is not possible now; the error says why",
        413: "The body is too long", 415: "The body is not declared as JSON",
        422: "A value is wrong; the error names it", 429: "There were too many attempts",
        503: "The store, or a limit, does not allow it now",
    }  # fmt: skip
    found = {str(code): {"description": texts[code], "content": json_content(ref("Error"))} for code in failures}
    return {"200": {"description": "Done", "content": json_content(schema)}, **found}


def body(*required, **properties):
    """Returns the body of a request: an object with these and no others. required: names."""
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return {"required": True, "content": json_content(schema)}


def query(name, text, **schema):
    """Returns a parameter of the address that may be left out."""
    return {"name": name, "in": "query", "description": text, "required": False, "schema": schema}


ID = {"name": "id", "in": "path", "description": "Of a client", "required": True, "schema": {**TEXT, "minLength": 1}}
