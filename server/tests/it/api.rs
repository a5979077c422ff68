//! The OpenAPI document as it is published.

/// A change of the interface shows up here, to be looked at: the operations and what they take and answer.
#[test]
fn the_interface_is_what_was_agreed() {
    let document = rest::openapi();
    let mut lines = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let body = body.as_str().map_or("-", |r| r.rsplit('/').next().unwrap());
            let id = operation["operationId"].as_str().unwrap();
            let good = operation["responses"]
                .as_object()
                .unwrap()
                .keys()
                .next()
                .unwrap();
            lines.push(format!("{method} {path} {id} {body} {good}"));
        }
    }
    for line in [
        "post /people PersonCreate PersonNew 201",
        "put /people/{person}/password PasswordSet PasswordChange 204",
        "get /me PersonRead - 200",
        "post /tokens TokenCreate TokenNew 201",
        "post /audit/verify AuditVerify AuditVerify 200",
    ] {
        assert!(
            lines.iter().any(|found| found == line),
            "{line} in {lines:#?}"
        );
    }
}
