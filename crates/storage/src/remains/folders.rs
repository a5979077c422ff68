//! Folders that stay in an Azure account with a hierarchical namespace when what lay in them is gone: found by listing whatever
//! there is, for object_store does not show them, and removed.

use std::collections::BTreeSet;

use http::Method;
use object_store::path::Path;

use super::asking::{elements, text_of};
use crate::store::Cloud;
use crate::{StorageError, Store};

/// What errors are said of.
const EMPTY: &str = "the removal of empty folders";

impl Store {
    /// Removes the folders below `folder` in which no object is, and looks again. Answers how many went; that some stay is an error,
    /// which does not name them.
    pub(super) async fn tidy_on_azure(
        &self,
        cloud: &Cloud,
        folder: &Path,
    ) -> Result<u64, StorageError> {
        let empty = self.empty_on_azure(cloud, folder).await?;
        if empty.is_empty() {
            return Ok(0);
        }
        let prefix = self.prefix_of(folder);
        let mut removed = 0;
        // What lies within another one goes before it.
        for name in empty.iter().rev() {
            if !is_plain(name) {
                continue;
            }
            let key = format!("{prefix}{name}");
            let answer = self.ask(cloud, Method::DELETE, &key, &[]).await;
            removed += u64::from(answer.is_ok());
            // Anything else (something is in it by now, somebody was faster) shows when it is looked at again.
            if let Err(error @ (StorageError::Denied { .. } | StorageError::Unreachable { .. })) =
                answer
            {
                return Err(error.about(EMPTY));
            }
        }
        match self.empty_on_azure(cloud, folder).await?.len() {
            0 => Ok(removed),
            left => Err(StorageError::Other {
                what: EMPTY.to_owned(),
                why: format!("{left} of them are still there"),
            }),
        }
    }

    async fn empty_on_azure(
        &self,
        cloud: &Cloud,
        folder: &Path,
    ) -> Result<BTreeSet<String>, StorageError> {
        let mut folders = Folders::default();
        self.list_blobs(cloud, folder, "metadata", |name, blob| {
            folders.see(name, blob);
        })
        .await
        .map_err(|error| error.about("a listing with its folders"))?;
        Ok(folders.empty())
    }
}

/// The folders of a listing.
#[derive(Default)]
struct Folders {
    all: BTreeSet<String>,
    /// Those that an object lies in or below.
    held: BTreeSet<String>,
}

impl Folders {
    fn see(&mut self, name: &str, blob: &str) {
        if is_folder(blob) {
            if !name.is_empty() {
                self.all.insert(name.to_owned());
            }
            return;
        }
        let mut rest = name;
        while let Some((above, _)) = rest.rsplit_once('/') {
            // Of one that is known all above it are.
            if !self.held.insert(above.to_owned()) {
                break;
            }
            rest = above;
        }
    }

    fn empty(self) -> BTreeSet<String> {
        let Self { mut all, held } = self;
        all.retain(|name| !held.contains(name.trim_end_matches('/')));
        all
    }
}

/// Whether an element of a listing is a folder: the service says so, or somebody has marked an object without content as one.
fn is_folder(blob: &str) -> bool {
    // Not anywhere in the element: what is written beside a blob may have any name.
    let properties = elements(blob, "Properties").next().unwrap_or_default();
    if let Some(kind) = text_of(properties, "ResourceType") {
        return kind == "directory";
    }
    let metadata = elements(blob, "Metadata").next().unwrap_or_default();
    text_of(properties, "Content-Length").as_deref() == Some("0")
        && text_of(metadata, "hdi_isfolder").as_deref() == Some("true")
}

/// Whether an address of this name leads to it and to nothing else.
fn is_plain(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::super::asking::name_of;
    use super::*;

    /// As the service answers, and as it may.
    const LISTED: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://a/\" \
        ContainerName=\"c\"><Prefix>t/</Prefix><Blobs>\
        <Blob><Name>p=Erika</Name><Properties><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType>\
        <ResourceType>directory</ResourceType></Properties><Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>\
        <Blob><Name>p=Erika/q=&lt;&amp;amp;&gt; </Name><Properties><ResourceType>directory</ResourceType></Properties><OrMetadata /></Blob>\
        <Blob><Name>p=Max</Name><Properties><Content-Length>0</Content-Length></Properties>\
        <Metadata><other>x</other><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>\
        <Blob><Name>p=Max/q=1</Name><Properties><ResourceType>directory</ResourceType></Properties></Blob>\
        <Blob><Name>p=Max/q=1/a</Name><Properties><Content-Length>3</Content-Length><ResourceType>file</ResourceType></Properties>\
        <Metadata><hdi_isfolder>true</hdi_isfolder><ResourceType>directory</ResourceType></Metadata></Blob>\
        <Blob><Name>p=Max/q=2</Name><Properties><Content-Length>3</Content-Length></Properties>\
        <Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>\
        <Blob><Name z=\"1\" Encoded=\"true\">p=%EF%BF%BE+&amp;</Name><Properties><ResourceType z=\"1\">directory</ResourceType></Properties></Blob>\
        <Blob><Name>p=Maxi</Name><Properties><ResourceType>directory</ResourceType></Properties></Blob>\
        <Blob><Name>_delta_log/0.json</Name><Properties><Content-Length>0</Content-Length></Properties></Blob>\
        </Blobs><NextMarker /></EnumerationResults>";

    #[test]
    fn folders_of_a_listing_in_which_nothing_is_are_told_from_the_others() {
        let mut folders = Folders::default();
        for blob in elements(LISTED, "Blob") {
            folders.see(&name_of(blob).unwrap(), blob);
        }
        assert_eq!(folders.all.len(), 6);
        let empty = folders.empty();
        let empty: Vec<&str> = empty.iter().rev().map(String::as_str).collect();
        assert_eq!(
            empty,
            ["p=\u{fffe}+&", "p=Maxi", "p=Erika/q=<&amp;> ", "p=Erika"]
        );
    }

    #[test]
    fn names_that_would_lead_elsewhere_are_not_asked_for() {
        for name in ["p=Erika", "p=..", "p=a b/q=.x", "..."] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", ".", "p/..", "../p", "p/", "p//q"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
