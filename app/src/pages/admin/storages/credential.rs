//! The fields of a credential, by cloud. They are always empty: what was typed is sealed, and comes back nowhere.

use leptos::prelude::*;

use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::text_area::TextArea;
use crate::components::tick::Group;
use crate::words;

/// `kept`: one is there, and stays where nothing is filled in.
#[component]
pub(super) fn Credential(#[prop(optional)] kept: bool) -> impl IntoView {
    let hint = if kept {
        words::admin::storages::CREDENTIAL_STAYS_HINT
    } else {
        words::admin::storages::CREDENTIAL_HINT
    };
    view! {
        <Group label=words::admin::storages::CREDENTIAL name="credential" hint>
            <details class="fold">
                <summary>{words::admin::storages::KEYS_OF_AWS}</summary>
                <div class="group__fields">
                    <Field label=words::admin::storages::ACCESS_KEY_ID name="credential.access_key_id" autocomplete="off"/>
                    <Field label=words::admin::storages::SECRET_ACCESS_KEY name="credential.secret_access_key" kind=Kind::Password autocomplete="new-password"/>
                    <Field label=words::admin::storages::SESSION_TOKEN name="credential.session_token" kind=Kind::Password autocomplete="new-password"/>
                    <Field label=words::admin::storages::ROLE_ARN name="credential.role_arn" hint=words::admin::storages::ROLE_ARN_HINT autocomplete="off"/>
                </div>
            </details>
            <details class="fold">
                <summary>{words::admin::storages::KEY_OF_AZURE}</summary>
                <div class="group__fields">
                    <Field label=words::admin::storages::TENANT_ID name="credential.tenant_id" hint=words::admin::storages::APPLICATION_HINT autocomplete="off"/>
                    <Field label=words::admin::storages::CLIENT_ID name="credential.client_id" autocomplete="off"/>
                    <Field label=words::admin::storages::CLIENT_SECRET name="credential.client_secret" kind=Kind::Password autocomplete="new-password"/>
                    <Field label=words::admin::storages::ACCOUNT_KEY name="credential.account_key" kind=Kind::Password autocomplete="new-password"/>
                    <Field
                        label=words::admin::storages::OR_SHARED_ACCESS_SIGNATURE
                        name="credential.sas"
                        kind=Kind::Password
                        hint=words::admin::storages::SHARED_ACCESS_SIGNATURE_HINT
                        autocomplete="new-password"
                    />
                </div>
            </details>
            <details class="fold">
                <summary>{words::admin::storages::KEY_OF_GOOGLE_CLOUD}</summary>
                <TextArea label=words::admin::storages::SERVICE_ACCOUNT_KEY name="credential.service_account"/>
            </details>
            <details class="fold">
                <summary>{words::admin::storages::PROFILE_OF_A_DELTA_SHARE}</summary>
                <TextArea label=words::admin::storages::PROFILE name="credential.profile" hint=words::admin::storages::PROFILE_HINT/>
            </details>
            <details class="fold">
                <summary>{words::admin::storages::FROM_THE_SERVERS_ENVIRONMENT}</summary>
                <Field label=words::admin::storages::NAME_OF_THE_VARIABLE name="credential.variable" hint=words::admin::storages::NAME_OF_THE_VARIABLE_HINT autocomplete="off"/>
            </details>
        </Group>
    }
}
