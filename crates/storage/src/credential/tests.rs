use super::*;

fn url(text: &str) -> StorageUrl {
    StorageUrl::parse(text).unwrap()
}

const AZURE: &str = "abfss://c01@acct.dfs.core.windows.net/x";

#[test]
fn known_fields_are_taken_and_come_back() {
    for (place, json) in [
        (
            "s3://bbb/a",
            r#"{"access_key_id":"AKIA","secret_access_key":"s3cr3t"}"#,
        ),
        (
            "s3://bbb/a",
            r#"{"access_key_id":"AKIA","secret_access_key":"s3cr3t","session_token":"s3cr3t"}"#,
        ),
        (
            "s3://bbb/a",
            r#"{"access_key_id":"AKIA","secret_access_key":"s3cr3t","role_arn":"arn:aws:iam::1:role/r"}"#,
        ),
        (AZURE, r#"{"account_key":"czNjcjN0czNjcjN0"}"#),
        (AZURE, r#"{"sas":"?sv=2023-11-03&sp=r&sig=s3cr3t"}"#),
        (
            AZURE,
            r#"{"tenant_id":"contoso.example","client_id":"00-1","client_secret":"s3cr3t~"}"#,
        ),
        (
            "gs://bbb/a",
            r#"{"client_email":"a@b.iam","private_key":"-----BEGIN s3cr3t","private_key_id":"1"}"#,
        ),
        (
            "share://sharing.example/d",
            r#"{"shareCredentialsVersion":1,"endpoint":"https://sharing.example/d/","bearerToken":"s3cr3t","expirationTime":"2027-01-01T00:00:00.0Z","icebergEndpoint":"https://x.example"}"#,
        ),
        ("file:///srv/x", "null"),
    ] {
        let credential = Credential::parse(&url(place), json).unwrap();
        assert!(!format!("{credential:?} {credential:#?}").contains("s3cr3t"));
        let again = Credential::parse(&url(place), credential.to_json().expose_secret()).unwrap();
        assert_eq!(
            again.to_json().expose_secret(),
            credential.to_json().expose_secret()
        );
    }
}

#[test]
fn dangerous_and_unknown_fields_are_refused() {
    let keys = [
        "aws_endpoint",
        "endpoint",
        "endpoint_url",
        "metadata_endpoint",
        "proxy_url",
        "proxy_ca_certificate",
        "allow_http",
        "allow_invalid_certificates",
        "azure_msi_endpoint",
        "azure_identity_endpoint",
        "authority_host",
        "federated_token_file",
        "web_identity_token_file",
        "container_credentials_relative_uri",
        "container_credentials_full_uri",
        "google_service_account",
        "google_service_account_path",
        "google_application_credentials",
        "use_azure_cli",
        "skip_signature",
        "use_emulator",
        "google_base_url",
        "gcs_base_url",
        "disable_oauth",
        "",
        "x",
    ];
    for key in keys {
        for (place, json) in [
            (
                "s3://bbb/a",
                serde_json::json!({"access_key_id": "AKIA", "secret_access_key": "k", key: "http://127.0.0.1"}),
            ),
            (
                AZURE,
                serde_json::json!({"account_key": "czNjcjN0", key: true}),
            ),
            (
                "gs://bbb/a",
                serde_json::json!({"client_email": "a@b", "private_key": "-----BEGIN", key: "x"}),
            ),
        ] {
            let error = Credential::parse(&url(place), &json.to_string()).unwrap_err();
            assert!(
                matches!(error, CredentialError::Unknown { .. }),
                "{key}: {error}"
            );
        }
    }
}

#[test]
fn messages_repeat_no_value() {
    for (place, json) in [
        (
            "s3://bbb/a",
            r#"{"access_key_id":"AKIA","secret_access_key":["s3cr3t"]}"#,
        ),
        (
            "s3://bbb/a",
            r#"{"access_key_id":"AKIA","secret_access_key":"s3cr3t\r\nX-Evil: 1"}"#,
        ),
        ("s3://bbb/a", r#"{"access_key_id":"AKIA"}"#),
        ("s3://bbb/a", r#""s3cr3t""#),
        (
            "s3://bbb/a",
            r#"{"s3cr3t/+AB":"AKIA","access_key_id":"a","secret_access_key":"b"}"#,
        ),
        (AZURE, r#"{"account_key":"s3cr3t!"}"#),
        (
            AZURE,
            r#"{"account_key":"czNjcjN0","sas":"sv=1&sig=s3cr3t"}"#,
        ),
        (
            AZURE,
            r#"{"account_key":"czNjcjN0","tenant_id":"t","client_id":"c","client_secret":"s3cr3t"}"#,
        ),
        (AZURE, r#"{"client_id":"c","client_secret":"s3cr3t"}"#),
        (
            AZURE,
            r#"{"tenant_id":"../s3cr3t","client_id":"c","client_secret":"k"}"#,
        ),
        (
            "gs://bbb/a",
            r#"{"client_email":"a@b","private_key":"s3cr3t"}"#,
        ),
        (
            "gs://bbb/a",
            r#"{"client_email":"a@b","private_key":"-----BEGIN","token_uri":"http://127.0.0.1/s3cr3t"}"#,
        ),
        ("s3://bbb/a", ""),
        // The token is for another server, or none.
        (
            "share://sharing.example/d",
            r#"{"shareCredentialsVersion":1,"endpoint":"https://evil.example/d","bearerToken":"s3cr3t"}"#,
        ),
        (
            "share://sharing.example/d",
            r#"{"shareCredentialsVersion":2,"type":"oauth_client_credentials","endpoint":"https://sharing.example/d","clientSecret":"s3cr3t"}"#,
        ),
        (
            "share://sharing.example/d",
            r#"{"shareCredentialsVersion":1,"endpoint":"https://sharing.example/d","bearerToken":"s3cr3t\r\nX-Evil: 1"}"#,
        ),
        ("file:///srv/x", r#"{"a":"s3cr3t"}"#),
    ] {
        let error = Credential::parse(&url(place), json).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
    }
}
