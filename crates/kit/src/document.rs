//! What every daemon's OpenAPI document says alike, so that no endpoint says it for itself: errors are problem documents,
//! and any endpoint may be asked too often, with a body that is too long or none of JSON, or while it cannot answer.

use http::StatusCode;
use serde_json::{Map, Value, json};

/// What any endpoint may answer.
const ALWAYS: [u16; 2] = [429, 503];
/// What one that reads a body may answer besides.
const OF_A_BODY: [u16; 3] = [400, 413, 415];

/// What answers in a form of its own, whatever the status.
const OWN_FORM: [&str; 2] = ["/health", "/metrics"];

/// Adds it.
pub(crate) fn complete(document: &utoipa::openapi::OpenApi) -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(document)?;
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let operations = paths
        .into_iter()
        .flatten()
        .filter(|(path, _)| !OWN_FORM.contains(&path.as_str()))
        .map(|(_, methods)| methods)
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut)
        .filter_map(Value::as_object_mut);
    for operation in operations {
        let reads = operation.contains_key("requestBody");
        let responses = operation.entry("responses").or_insert_with(|| json!({}));
        if let Some(responses) = responses.as_object_mut() {
            let more = ALWAYS.iter().chain(OF_A_BODY.iter().filter(|_| reads));
            for status in more {
                responses
                    .entry(status.to_string())
                    .or_insert_with(|| json!({}));
            }
            responses.iter_mut().for_each(describe);
        }
    }
    document["components"]["schemas"]["Problem"] = problem();
    Ok(document)
}

/// An error without words of its own has its status's; its body is a problem document.
fn describe((status, response): (&String, &mut Value)) {
    let Some(status) = status
        .parse()
        .ok()
        .and_then(|number| StatusCode::from_u16(number).ok())
    else {
        return;
    };
    let Some(response) = response.as_object_mut() else {
        return;
    };
    let reason = status.canonical_reason().unwrap_or_default();
    let words = response.entry("description").or_insert(Value::Null);
    if words.as_str().is_none_or(str::is_empty) {
        *words = reason.to_lowercase().into();
    }
    if status.is_client_error() || status.is_server_error() {
        response.entry("content").or_insert_with(|| {
            json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}})
        });
    }
}

/// RFC 9457, with what this network adds.
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "a problem document (RFC 9457)",
        "required": ["type", "title", "status", "detail", "code", "error"],
        "properties": {
            "type": {"type": "string", "description": "a URI that names the kind of problem"},
            "title": {"type": "string", "description": "the code in words"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "what happened and what to do, for a person"},
            "code": {"type": "string", "description": "for programs"},
            "error": {"type": "string", "description": "the same text as detail"},
            "retryAfter": {"type": "integer", "minimum": 0, "description": "seconds after which another try makes sense"},
            "expectedHeight": {"type": "integer", "minimum": 0, "description": "the height that a rejected block should have had"},
        },
    })
}

#[cfg(test)]
mod tests {
    use utoipa::OpenApi;

    #[utoipa::path(post, path = "/a", request_body = Object, responses((status = 200, description = "done"), (status = 404)))]
    #[allow(dead_code, reason = "the document's, not a handler")]
    fn a() {}

    #[derive(OpenApi)]
    #[openapi(paths(a))]
    struct Document;

    #[test]
    fn errors_are_documented_as_problems_and_what_is_common_is_added() {
        let document = super::complete(&Document::openapi()).unwrap();
        let responses = &document["paths"]["/a"]["post"]["responses"];
        assert_eq!(responses["200"]["description"], "done");
        assert!(responses["200"].get("content").is_none());
        assert_eq!(responses["404"]["description"], "not found");
        for status in ["400", "404", "413", "415", "429", "503"] {
            let content = &responses[status]["content"];
            assert!(
                content["application/problem+json"].is_object(),
                "{status}: {responses}"
            );
        }
        assert!(document["components"]["schemas"]["Problem"].is_object());
    }
}
