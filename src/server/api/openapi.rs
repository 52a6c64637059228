//! The description of the API for programs: OpenAPI 3.1 (<https://spec.openapis.org/oas/v3.1.1>),
//! made from the same table that routes and checks.

use hyper::Method;
use serde_json::{Map, Value, json};

use super::{OPERATIONS, Operation, Reply};
use crate::mcp::arguments::{self, Field};

pub(super) static DOCUMENT: Operation = Operation {
    method: Method::GET,
    path: "/api/openapi.json",
    summary: "This document.",
    fields: &[],
    has_body: false,
    is_former: false,
    answers: &[(200, "Document")],
    run: |_| Box::pin(async { Ok(Reply::ok(document())) }),
};

/// The whole document.
fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            let method = operation.method.as_str().to_ascii_lowercase();
            path.insert(method, describe(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sage",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Long-term memory for Claude Code. Every request is about one project, \
                unless scope=all says otherwise; a project is named by the parameter `project`, else \
                by the headers Sage-Project, Sage-Session or Sage-Project-Dir. A read whose project \
                nobody can tell finds nothing, and says so in `silence`.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        // A server without a token lets everybody in whom it knows by name and origin.
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(),
            "responses": {"Error": {
                "description": "What happened, and what to do.",
                "content": {"application/json": {"schema": reference("Error")}},
            }},
        },
    })
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn describe(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    if operation.path.contains("{id}") {
        parameters.push(json!({
            "name": "id", "in": "path", "required": true,
            "schema": {"type": "string", "minLength": 1},
        }));
    }
    if !operation.has_body {
        parameters.extend(operation.fields.iter().map(parameter));
    }
    let mut described = json!({
        "operationId": operation_id(operation),
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses(operation),
    });
    if let Some(described) = described.as_object_mut() {
        if operation.has_body {
            let schema = body_schema(operation);
            described.insert(
                "requestBody".to_owned(),
                json!({"required": true, "content": {"application/json": {"schema": schema}}}),
            );
        }
        if operation.is_former {
            described.insert("deprecated".to_owned(), json!(true));
        }
    }
    described
}

/// "get_api_memories_id": stable, and a word in every language.
fn operation_id(operation: &Operation) -> String {
    let words = operation.path.replace(['/', '-', '.'], "_");
    let words = words.replace(['{', '}'], "");
    operation.method.as_str().to_ascii_lowercase() + &words
}

fn parameter(field: &Field) -> Value {
    let mut parameter = json!({
        "name": field.name,
        "in": "query",
        "required": field.required,
        "schema": field.shape.schema(),
    });
    if let (false, Some(parameter)) = (field.about.is_empty(), parameter.as_object_mut()) {
        parameter.insert("description".to_owned(), json!(field.about));
    }
    parameter
}

fn body_schema(operation: &Operation) -> Value {
    let mut schema = arguments::schema(operation.fields);
    for field in operation.fields.iter().filter(|field| !field.required) {
        let pointer = format!("/properties/{}", field.name);
        if let Some(property) = schema.pointer_mut(&pointer) {
            // Null counts as absent.
            *property = json!({"anyOf": [property.take(), {"type": "null"}]});
        }
    }
    if let (true, Some(schema)) = (operation.is_former, schema.as_object_mut()) {
        schema.remove("additionalProperties");
    }
    schema
}

/// Every answer that can come: what the operation says, and what any request may meet.
fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for (status, schema) in operation.answers {
        let description = match status {
            201 => "It is new.",
            _ => "Done.",
        };
        responses.insert(
            status.to_string(),
            json!({
                "description": description,
                "content": {"application/json": {"schema": reference(schema)}},
            }),
        );
    }
    // Arguments, token, name and origin, method, size and time of the body, media type, a bug or a
    // broken disk, a busy server or a store that is away.
    let mut errors = vec![400, 401, 403, 405, 408, 413, 500, 503];
    if operation.path.contains("{id}") {
        errors.push(404);
    }
    if operation.has_body {
        errors.push(415);
    }
    for status in errors {
        let error = json!({"$ref": "#/components/responses/Error"});
        responses.insert(status.to_string(), error);
    }
    Value::Object(responses)
}

/// An object that has all of these members and no others.
fn object(members: Value) -> Value {
    let names: Vec<String> = members
        .as_object()
        .map(|members| members.keys().cloned().collect())
        .unwrap_or_default();
    json!({
        "type": "object",
        "properties": members,
        "required": names,
        "additionalProperties": false,
    })
}

/// The same with the members that tell where a call looked.
fn with_reach(members: Value) -> Value {
    let mut all = Map::new();
    all.insert("project".to_owned(), or_null("string"));
    all.insert(
        "decided_by".to_owned(),
        json!({"enum": ["flag", "session", "environment", "directory", "nothing", "all"]}),
    );
    if let Value::Object(members) = members {
        all.extend(members);
    }
    object(Value::Object(all))
}

fn or_null(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn list_of(schema: &str) -> Value {
    json!({"type": "array", "items": reference(schema)})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn time_or_null() -> Value {
    json!({"anyOf": [time(), {"type": "null"}]})
}

fn schemas() -> Value {
    let (text, whole) = (
        json!({"type": "string"}),
        json!({"type": "integer", "minimum": 0}),
    );
    json!({
        "Document": {"type": "object", "required": ["openapi", "info", "paths"]},
        "Error": object(json!({"error": object(json!({"kind": text, "message": text}))})),
        "Memory": object(json!({
            "id": {"type": "string", "format": "uuid"},
            "project": text,
            "session": or_null("string"),
            "kind": {"enum": arguments::KINDS},
            "content": text,
            "prompt": or_null("string"),
            "reply": or_null("string"),
            "tags": {"type": "array", "items": text},
            "key": or_null("string"),
            "pinned": {"type": "boolean"},
            "source": text,
            "created_at": time(),
            "expires_at": time_or_null(),
            "superseded_by": or_null("string"),
            "metadata": or_null("object"),
        })),
        "MemoryWithHistory": object(json!({
            "memory": reference("Memory"),
            "history": list_of("Memory"),
        })),
        "Memories": with_reach(json!({
            "memories": list_of("Memory"),
            "next": or_null("string"),
            "silence": or_null("string"),
        })),
        "Found": with_reach(json!({
            "hits": {"type": "array", "items": object(json!({
                "score": {"type": "number", "minimum": 0, "maximum": 1},
                "extract": text,
                "memory": reference("Memory"),
            }))},
            "next": or_null("string"),
            "silence": or_null("string"),
            "degraded": or_null("string"),
        })),
        "Context": with_reach(json!({
            "text": text,
            "tokens": whole,
            "memories": {"type": "array", "items": {"type": "string", "format": "uuid"}},
            "silence": or_null("string"),
            "degraded": or_null("string"),
        })),
        "Captured": with_reach(json!({
            "outcome": {"enum": ["stored", "updated", "known", "refused"]},
            "reason": or_null("string"),
            "redacted": whole,
            "superseded": or_null("string"),
            "memory": {"anyOf": [reference("Memory"), {"type": "null"}]},
        })),
        "Deleted": object(json!({"memories": whole, "passages": whole, "index_entries": whole,
                                   "vectors": whole})),
        "Session": object(json!({
            "id": text,
            "project": text,
            "title": or_null("string"),
            "started_at": time(),
            "last_at": time(),
            "memories": whole,
        })),
        "Sessions": with_reach(json!({
            "sessions": list_of("Session"),
            "next": or_null("string"),
            "silence": or_null("string"),
        })),
        "Project": object(json!({"key": text, "name": text, "memories": whole})),
        "Projects": object(json!({"projects": list_of("Project")})),
        "Reset": object(json!({"reset": {"type": "array", "items": text}})),
        "Stats": with_reach(json!({
            "memories": object(json!({"turn": whole, "note": whole, "summary": whole})),
            "superseded": whole,
            "passages": whole,
            "sessions": whole,
            "projects": list_of("Project"),
            "oldest": time_or_null(),
            "newest": time_or_null(),
            "store_bytes": whole,
            "silence": or_null("string"),
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` below `value`.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    found.push(target.clone());
                }
                members
                    .values()
                    .for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn everything_is_described_and_every_reference_leads_somewhere() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > OPERATIONS.len());
        for target in found {
            let pointer = target.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{target}");
        }
        let paths = document.get("paths").and_then(Value::as_object);
        let described: usize = paths
            .into_iter()
            .flat_map(Map::values)
            .filter_map(Value::as_object)
            .map(Map::len)
            .sum();
        assert_eq!(
            described,
            OPERATIONS.len(),
            "two of them share path and method"
        );
    }
}
