//! The three clouds of the demo world: folders beneath the data folder that stand in for object stores. The exchange
//! knows them as `simulated`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use delta::{Budgets, Table};
use model::{Location, Purpose};
use storage::{Cause, Credential, Limits, Meter, MeterKey, StorageSpec, StorageUrl, Stores};

/// A storage of the demo world: its name in the declaration and its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) storage: &'static str,
    pub(super) location: &'static str,
    pub(super) path: &'static str,
}

pub(super) const AWS: Folder = Folder {
    storage: "aws_eu",
    location: "aws:eu-central-1",
    path: "aws_eu-central-1/aftersales",
};
pub(super) const AZURE: Folder = Folder {
    storage: "az_weu",
    location: "azure:westeurope",
    path: "azure_westeurope/exchange",
};
pub(super) const GCP: Folder = Folder {
    storage: "gcp_ew3",
    location: "gcp:europe-west3",
    path: "gcp_europe-west3/parts",
};
pub(super) const GCP_REPLICAS: Folder = Folder {
    storage: "gcp_ew3_replicas",
    location: "gcp:europe-west3",
    path: "gcp_europe-west3/exchange",
};

pub(super) const FOLDERS: [Folder; 4] = [AWS, AZURE, GCP, GCP_REPLICAS];

/// Where a source table lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) product: &'static str,
    pub(super) table: &'static str,
    pub(super) folder: Folder,
    /// Relative to the storage.
    pub(super) path: &'static str,
}

pub(super) const VISITS: Place = Place {
    product: "vehicle-workshop-visits",
    table: "visits",
    folder: AWS,
    path: "workshop/visits",
};
pub(super) const CLAIMS: Place = Place {
    product: "vehicle-warranty-claims",
    table: "claims",
    folder: AWS,
    path: "warranty/claims",
};
pub(super) const ORDERS: Place = Place {
    product: "vehicle-parts-orders",
    table: "orders",
    folder: GCP,
    path: "orders",
};
pub(super) const PARTS: Place = Place {
    product: "vehicle-parts-orders",
    table: "parts",
    folder: GCP,
    path: "parts",
};

impl Place {
    /// Relative to the folder of the clouds.
    pub(super) fn relative(&self) -> PathBuf {
        Path::new(self.folder.path).join(self.path)
    }
}

/// The folder that holds the clouds.
pub(super) struct Clouds {
    root: PathBuf,
    stores: Stores,
}

impl Clouds {
    /// Makes the folders where they are missing.
    pub(super) fn create(root: &Path) -> anyhow::Result<Self> {
        for folder in FOLDERS {
            let path = root.join(folder.path);
            std::fs::create_dir_all(&path)
                .with_context(|| format!("cannot make the folder {}", path.display()))?;
        }
        // The canonical path: `file:` storages do not follow links.
        let root = root
            .canonicalize()
            .with_context(|| format!("cannot look at {}", root.display()))?;
        let stores = Stores::new(Limits {
            file_roots: vec![root.clone()],
            ..Limits::default()
        });
        Ok(Self { root, stores })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The URL of a storage, as the declaration has it.
    pub(super) fn url(&self, folder: Folder) -> anyhow::Result<String> {
        let path = self.root.join(folder.path);
        let url = url::Url::from_file_path(&path)
            .map_err(|()| anyhow::anyhow!("{} is no absolute path", path.display()))?;
        Ok(url.to_string())
    }

    /// A source table, for writing: the producer's own hands, which no bill counts.
    pub(super) fn table(&self, place: &Place) -> anyhow::Result<Table> {
        let spec = StorageSpec {
            name: place.folder.storage.to_owned(),
            location: place.folder.location.parse::<Location>()?,
            url: StorageUrl::parse(&self.url(place.folder)?)?,
            endpoint: None,
            credential: Credential::None,
        };
        let meter = Meter::new(MeterKey {
            product: None,
            table: None,
            cause: Cause::Operation("demo"),
            purpose: Purpose::Query,
        });
        let store = self.stores.open(&spec, &meter)?;
        Ok(Table::new(store.at(place.path)?, Budgets::default()))
    }
}
