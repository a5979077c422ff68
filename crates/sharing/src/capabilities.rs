//! The headers by which client and server agree: `delta-sharing-capabilities` (H1–H4) and `fileidhash` (H6).

use std::collections::BTreeSet;

use delta::Snapshot;
use http::{HeaderMap, HeaderName};

use crate::error::{Failure, needs};
use crate::features::Needs;

pub(crate) const CAPABILITIES: HeaderName = HeaderName::from_static("delta-sharing-capabilities");
pub(crate) const FILE_ID_HASH: HeaderName = HeaderName::from_static("fileidhash");

/// The shape of an answer's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Parquet,
    Delta,
}

impl Format {
    /// Lower case: clients compare it so.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Delta => "delta",
        }
    }
}

/// What the client says it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Capabilities {
    parquet: bool,
    delta: bool,
    /// It names its formats; one that does not is answered as clients were before there were several.
    is_named: bool,
    /// In lower case.
    reader_features: BTreeSet<String>,
    pub(crate) end_stream_action: bool,
    /// It asks again for what is not there at once.
    pub(crate) async_query: bool,
}

impl Capabilities {
    /// Keys and values in any case; unknown keys and values are ignored; no header means parquet.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut formats: Option<BTreeSet<String>> = None;
        let mut reader_features = BTreeSet::new();
        let (mut end_stream_action, mut async_query) = (false, false);
        for header in headers.get_all(CAPABILITIES) {
            let text = String::from_utf8_lossy(header.as_bytes()).to_lowercase();
            for (key, value) in text.split(';').filter_map(|pair| pair.split_once('=')) {
                let values = value
                    .split(',')
                    .map(str::trim)
                    .filter(|value| !value.is_empty())
                    .map(str::to_owned);
                match key.trim() {
                    // Without a value it asks for none.
                    "responseformat" if value.trim().is_empty() => {}
                    "responseformat" => formats.get_or_insert_default().extend(values),
                    "readerfeatures" => reader_features.extend(values),
                    "includeendstreamaction" => end_stream_action = value.trim() == "true",
                    "asyncquery" => async_query = value.trim() == "true",
                    _ => {}
                }
            }
        }
        let is_named = formats.is_some();
        let (parquet, delta) = match formats {
            None => (true, false),
            Some(formats) => (formats.contains("parquet"), formats.contains("delta")),
        };
        if !parquet && !delta {
            return Err(Failure::unsupported(
                "none of the response formats asked for is served: send delta-sharing-capabilities: responseformat=parquet or responseformat=delta",
            ));
        }
        Ok(Self {
            parquet,
            delta,
            is_named,
            reader_features,
            end_stream_action,
            async_query,
        })
    }

    /// The format of an answer that tells a table's state. Refuses a table whose features the client or this server lacks.
    pub(crate) fn choose(&self, snapshot: &Snapshot) -> Result<Format, Failure> {
        if let Some(feature) = snapshot.support().refused_for() {
            return Err(needs(feature));
        }
        self.format_of(&Needs::of_state(snapshot)?)
    }

    /// The format of an answer that needs these features; H2: one asked for is used; of both, parquet unless the table uses what
    /// only delta can say. Refuses what the client lacks.
    pub(crate) fn format_of(&self, needs: &Needs) -> Result<Format, Failure> {
        let is_known = needs.are_known(&self.reader_features);
        match (self.parquet, self.delta) {
            (true, _) if needs.is_nothing() => Ok(Format::Parquet),
            (_, true) if is_known => Ok(Format::Delta),
            (true, _) if needs.is_plain() => Ok(Format::Parquet),
            _ => Err(needs.lacking(&self.reader_features)),
        }
    }

    /// Whether it asks for this format by its name, and for no other.
    pub(crate) fn is_only(&self, format: Format) -> bool {
        self.is_named
            && match format {
                Format::Parquet => !self.delta,
                Format::Delta => !self.parquet,
            }
    }

    /// H3: a client that names no reader features is told a protocol without any.
    pub(crate) fn names_features(&self) -> bool {
        !self.reader_features.is_empty()
    }
}

/// How file ids are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIds {
    scheme: Format,
    /// The client asked for it, so the answer says it back.
    pub(crate) asked: bool,
}

impl FileIds {
    /// From the `fileidhash` header, or none.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Option<Format>, Failure> {
        let Some(header) = headers.get(FILE_ID_HASH) else {
            return Ok(None);
        };
        let raw = String::from_utf8_lossy(header.as_bytes());
        match raw.trim().to_lowercase().as_str() {
            "parquet" => Ok(Some(Format::Parquet)),
            "delta" => Ok(Some(Format::Delta)),
            _ => Err(Failure::invalid(format!(
                "Unsupported fileidhash: '{}'. Supported: parquet, delta",
                raw.chars().take(64).collect::<String>()
            ))),
        }
    }

    pub(crate) fn new(asked: Option<Format>, answer: Format) -> Self {
        Self {
            scheme: asked.unwrap_or(answer),
            asked: asked.is_some(),
        }
    }

    pub(crate) fn scheme(self) -> Format {
        self.scheme
    }

    /// The id of the file that the log calls `path`: the same as the reference server's, so that a client's cache holds
    /// across servers.
    pub(crate) fn id(self, path: &str) -> String {
        use sha2::Digest as _;
        match self.scheme {
            Format::Parquet => hex::encode(md5::Md5::digest(path.as_bytes())),
            Format::Delta => hex::encode(sha2::Sha256::digest(path.as_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<Capabilities, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CAPABILITIES, value.parse().unwrap());
        Capabilities::parse(&headers)
    }

    #[test]
    fn the_header_is_read_in_any_case_and_unknown_keys_are_ignored() {
        let none = Capabilities::parse(&HeaderMap::new()).unwrap();
        assert!(none.parquet && !none.delta && !none.names_features() && !none.end_stream_action);

        let all = parse("responseFormat=DELTA, parquet;ReaderFeatures=deletionVectors,timestampNTZ;includeEndStreamAction=True;asyncquery=true;x=y;junk").unwrap();
        assert!(all.parquet && all.delta && all.end_stream_action && all.async_query);
        assert_eq!(
            all.reader_features,
            ["deletionvectors", "timestampntz"]
                .map(str::to_owned)
                .into()
        );

        assert!(
            !parse("includeendstreamaction=false")
                .unwrap()
                .end_stream_action
        );
        assert!(parse("responseformat=iceberg,delta").unwrap().delta);
        for value in ["", ";;", "responseformat=", "responseformat= ;x", "=delta"] {
            let nothing = parse(value).unwrap();
            assert!(nothing.parquet && !nothing.delta, "{value}");
        }
        for value in [
            "responseformat=delta,parquet",
            " ResponseFormat = PARQUET , delta ",
        ] {
            let both = parse(value).unwrap();
            assert!(both.parquet && both.delta, "{value}");
        }
        assert_eq!(
            parse("responseformat=iceberg").unwrap_err().code(),
            "UNSUPPORTED_OPERATION"
        );
    }

    /// The value that the reference client's own test expects for table2 (H6).
    #[test]
    fn file_ids_are_those_of_the_reference_server() {
        let path =
            "date=2021-04-28/part-00000-8b0086f2-7b27-4935-ac5a-8ed6215a6640.c000.snappy.parquet";
        assert_eq!(
            FileIds::new(None, Format::Parquet).id(path),
            "9f1a49539c5cffe1ea7f9e055d5c003c"
        );
        assert_eq!(
            FileIds::new(Some(Format::Delta), Format::Parquet)
                .id("a")
                .as_str(),
            "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
        );
    }

    #[test]
    fn a_file_id_scheme_is_one_of_two() {
        for (value, expected) in [
            (" Parquet ", Some(Format::Parquet)),
            ("DELTA", Some(Format::Delta)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(FILE_ID_HASH, value.parse().unwrap());
            assert_eq!(FileIds::parse(&headers).unwrap(), expected);
        }
        for value in ["", "md5", "parquet,delta"] {
            let mut headers = HeaderMap::new();
            headers.insert(FILE_ID_HASH, value.parse().unwrap());
            assert_eq!(
                FileIds::parse(&headers).unwrap_err().code(),
                "INVALID_PARAMETER_VALUE",
                "{value}"
            );
        }
    }
}
