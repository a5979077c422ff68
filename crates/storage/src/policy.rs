//! The least permissions that would do, as text to be pasted into the cloud's own console.

use serde_json::json;

use crate::StorageUrl;

/// For reading alone, or also for writing replicas.
pub(crate) fn least_policy(url: &StorageUrl, write: bool) -> String {
    match url {
        StorageUrl::S3 { bucket, prefix } => aws(bucket, prefix, write),
        StorageUrl::Azure {
            account,
            container,
            prefix,
        } => azure(account, container, prefix, write),
        StorageUrl::Gcs { bucket, prefix } => gcs(bucket, prefix, write),
        StorageUrl::Share { .. } => {
            "The provider grants: this recipient needs to be able to read the shares that tables are registered from (on Databricks: SELECT \
             on the share to the recipient), with their history where versions are to be told apart while they are read. Calls and reads \
             come from this installation's own addresses, if the provider keeps a list of such."
                .to_owned()
        }
        StorageUrl::File { root } => {
            let rights = if write {
                "read, write and enter"
            } else {
                "read and enter"
            };
            format!(
                "The user that the server runs as must be able to {rights} {} and the folders in it; nothing in it may be a \
                 symbolic link.",
                root.display()
            )
        }
    }
}

fn aws(bucket: &str, prefix: &str, write: bool) -> String {
    let below = if prefix.is_empty() {
        "*".to_owned()
    } else {
        format!("{prefix}/*")
    };
    let mut actions = vec!["s3:GetObject"];
    if write {
        actions.extend(["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]);
    }
    let mut list = json!({
        "Sid": "EntrepotList",
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": format!("arn:aws:s3:::{bucket}"),
    });
    if !prefix.is_empty() {
        list["Condition"] = json!({ "StringLike": { "s3:prefix": [format!("{prefix}/*")] } });
    }
    let mut policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            list,
            { "Sid": "EntrepotObjects", "Effect": "Allow", "Action": actions, "Resource": format!("arn:aws:s3:::{bucket}/{below}") },
        ],
    });
    // What proving that something was deleted takes, and ending uploads that were given up.
    if write && let Some(statements) = policy["Statement"].as_array_mut() {
        statements.push(json!({
            "Sid": "EntrepotProof",
            "Effect": "Allow",
            "Action": ["s3:GetBucketVersioning", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"],
            "Resource": format!("arn:aws:s3:::{bucket}"),
        }));
    }
    format!("AWS IAM policy for the user whose key the storage has:\n{policy:#}")
}

fn azure(account: &str, container: &str, prefix: &str, write: bool) -> String {
    let role = if write {
        "Storage Blob Data Contributor"
    } else {
        "Storage Blob Data Reader"
    };
    let rights = if write { "racwdl" } else { "rl" };
    let scope = if prefix.is_empty() {
        String::new()
    } else {
        format!(
            " An account key opens the whole account. To open `{prefix}` alone, give the storage a SAS for that directory \
             (sr=d) with the rights {rights}."
        )
    };
    format!(
        "Azure role: {role}\nScope: /subscriptions/<subscription>/resourceGroups/<group>/providers/Microsoft.Storage/\
         storageAccounts/{account}/blobServices/default/containers/{container}\nAs a shared-access signature: container \
         {container}, rights {rights}, https only; URLs are then served by the gateway, for a signature cannot sign. An application of Entra ID \
         also needs the role Storage Blob Delegator on the account, to sign URLs.{scope}"
    )
}

fn gcs(bucket: &str, prefix: &str, write: bool) -> String {
    let role = if write {
        "roles/storage.objectUser"
    } else {
        "roles/storage.objectViewer"
    };
    let condition = if prefix.is_empty() {
        String::new()
    } else {
        format!(
            "\nCondition: resource.name.startsWith(\"projects/_/buckets/{bucket}/objects/{prefix}/\") || \
             api.getAttribute(\"storage.googleapis.com/objectListPrefix\", \"\").startsWith(\"{prefix}/\")"
        )
    };
    format!(
        "Google Cloud role: {role}\nOn: bucket {bucket}, for the storage's service account{condition}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(url: &str, write: bool) -> String {
        least_policy(&StorageUrl::parse(url).unwrap(), write)
    }

    #[test]
    fn aws_policies_are_json_and_scoped_to_the_prefix() {
        let text = policy("s3://lake/aftersales", false);
        let json: serde_json::Value =
            serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
        assert_eq!(
            json["Statement"][1]["Resource"],
            "arn:aws:s3:::lake/aftersales/*"
        );
        assert_eq!(json["Statement"][1]["Action"], json!(["s3:GetObject"]));
        assert_eq!(
            json["Statement"][0]["Condition"]["StringLike"]["s3:prefix"][0],
            "aftersales/*"
        );
        assert!(policy("s3://lake/aftersales", true).contains("s3:PutObject"));
    }

    #[test]
    fn the_other_stores_name_role_and_scope() {
        let azure = policy("abfss://c01@acct.dfs.core.windows.net/x", true);
        assert!(
            azure.contains("Contributor")
                && azure.contains("containers/c01")
                && azure.contains("`x`")
        );
        assert!(policy("gs://lake/x", false).contains("roles/storage.objectViewer"));
        assert!(policy("file:///srv/x", true).contains("/srv/x"));
    }
}
