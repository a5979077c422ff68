//! The fields of a credential, by cloud. They are always empty: what was typed is sealed, and comes back nowhere.

use leptos::prelude::*;

use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::text_area::TextArea;
use crate::components::tick::Group;

/// `kept`: one is there, and stays where nothing is filled in.
#[component]
pub(super) fn Credential(#[prop(optional)] kept: bool) -> impl IntoView {
    let hint = if kept {
        "It stays as it is where you fill in nothing. It is kept sealed and shown to nobody; if something else is refused, type it anew."
    } else {
        "Of one cloud, or of none for a folder. It is kept sealed and shown to nobody; if something else is refused, type it anew."
    };
    view! {
        <Group label="Credential" name="credential" hint>
            <details class="fold">
                <summary>"Keys of AWS, or of a store that speaks S3"</summary>
                <div class="group__fields">
                    <Field label="Access key id" name="credential.access_key_id" autocomplete="off"/>
                    <Field label="Secret access key" name="credential.secret_access_key" kind=Kind::Password autocomplete="new-password"/>
                    <Field label="Session token, of temporary keys" name="credential.session_token" kind=Kind::Password autocomplete="new-password"/>
                </div>
            </details>
            <details class="fold">
                <summary>"Key of Azure"</summary>
                <div class="group__fields">
                    <Field label="Account key" name="credential.account_key" kind=Kind::Password autocomplete="new-password"/>
                    <Field
                        label="Or shared-access signature"
                        name="credential.sas"
                        kind=Kind::Password
                        hint="It signs no addresses, so what lies there cannot be shared."
                        autocomplete="new-password"
                    />
                </div>
            </details>
            <details class="fold">
                <summary>"Key of Google Cloud"</summary>
                <TextArea label="Service account’s key, the JSON file" name="credential.service_account"/>
            </details>
            <details class="fold">
                <summary>"From the server’s environment"</summary>
                <Field label="Name of the variable" name="credential.variable" hint="ENTREPOT_CREDENTIAL_…; its value is the key as JSON." autocomplete="off"/>
            </details>
        </Group>
    }
}
