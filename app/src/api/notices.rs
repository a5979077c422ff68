//! What the viewer is told by mail.

use leptos::prelude::*;
use model::NoticeKind;
use model::dto::Notifications;
use model::dto::NotificationsChange;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::error::AppError;
use crate::words;

use super::{call, said};

pub const PATH: &str = "/account/notifications";

/// What the person of that name is told.
pub async fn notifications(person: String) -> Result<Notifications, AppError> {
    let (exchange, principal) = call()?;
    exchange
        .notifications(&principal, &person)
        .await
        .map_err(said)
}

/// Each kind by itself: `yes` is wanted, everything else is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationsForm {
    pub person: String,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default)]
    pub request_waiting: String,
    #[serde(default)]
    pub request_decided: String,
    #[serde(default)]
    pub access_verified: String,
    #[serde(default)]
    pub access_ending: String,
    #[serde(default)]
    pub sync_failing: String,
    #[serde(default)]
    pub freshness: String,
    #[serde(default)]
    pub live_quota: String,
}

impl NotificationsForm {
    fn wanted(&self) -> Vec<String> {
        let said = |kind: &NoticeKind| match kind {
            NoticeKind::RequestWaiting => &self.request_waiting,
            NoticeKind::RequestDecided => &self.request_decided,
            NoticeKind::AccessVerified => &self.access_verified,
            NoticeKind::AccessEnding => &self.access_ending,
            NoticeKind::SyncFailing => &self.sync_failing,
            NoticeKind::Freshness => &self.freshness,
            NoticeKind::LiveQuota => &self.live_quota,
        };
        NoticeKind::ALL
            .iter()
            .filter(|kind| said(kind) == "yes")
            .map(ToString::to_string)
            .collect()
    }
}

#[server]
pub async fn set_notifications(form: NotificationsForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let kinds = form.wanted();
    let change = NotificationsChange {
        kinds,
        revision: form.revision,
    };
    exchange
        .notifications_set(&principal, &form.person, change)
        .await
        .map_err(said)?;
    Ok(Done::new(PATH, words::answers::MAIL_SETTINGS_ARE_KEPT))
}
