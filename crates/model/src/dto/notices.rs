//! What people are told by mail, and whether mail and webhook work.

use serde::{Deserialize, Serialize};

use crate::{Name, NoticeKind};

/// What a person is told by mail, as far as it concerns their work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    pub person: Name,
    /// Where mail goes; empty: the person gets none.
    pub email: String,
    /// Every kind there is.
    pub kinds: Vec<NotificationChoice>,
    /// Whether this installation sends mail at all.
    pub mail: bool,
    /// Of the choices.
    pub revision: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationChoice {
    pub kind: NoticeKind,
    pub wanted: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationsChange {
    /// Exactly the kinds that are wanted; the others are turned off.
    pub kinds: Vec<String>,
    /// The revision of the choices that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

/// Whether this process can tell anybody anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub mail: bool,
    pub webhook: bool,
}

/// What is to be tried. The answer comes when it was taken by the mail server or the receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryTest {
    /// Whose address gets a test mail.
    #[serde(default)]
    pub person: Option<String>,
    /// Whether the webhook gets an event of the kind `test`.
    #[serde(default)]
    pub webhook: bool,
}
