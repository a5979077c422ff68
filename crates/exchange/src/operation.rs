//! Every operation of the exchange, in one table: who may, and through which doors. The matrix test walks it; an operation,
//! a route or a command that is not here fails the build's tests.

/// Who may do something, seen against the thing it is done to ([`crate::policy::Scope`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Also without signing in.
    Anyone,
    /// Everybody who is signed in.
    SignedIn,
    /// A producer of the team that owns the thing.
    Producer,
    /// A member of the team that owns the thing.
    OwnerMember,
    /// A member of the consuming team.
    Consumer,
    /// A producer of any team.
    AnyProducer,
    /// The person whom the thing is about.
    Oneself,
    Admin,
    Finance,
    Auditor,
    /// A data-protection officer, for personal data.
    DataProtection,
    /// A worker of this installation.
    System,
}

/// One line of the table.
#[derive(Debug)]
pub struct Line {
    pub operation: Operation,
    /// Any of these. The operator passes wherever a person could, save where `person_only`.
    pub who: &'static [Who],
    /// What only a person may do, because it is their word that counts.
    pub person_only: bool,
    /// Method and path under /api/v1.
    pub rest: Option<(&'static str, &'static str)>,
    /// `entrepot …`
    pub cli: Option<&'static str>,
    /// In the portal: the server function that a form is sent to, `area/function`, or with a slash in front the page that shows
    /// it or the plain route that does it.
    pub page: Option<&'static str>,
    /// Where a door is missing: why.
    pub why: &'static str,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident [$($who:ident),*] $(person_only $person_only:literal)? rest($($rest:expr)?) cli($($cli:literal)?) $(page $page:literal)? $(why $why:literal)?;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation { $($(#[$doc])* $name),* }

        impl Operation {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }

        /// The table.
        pub static TABLE: &[Line] = &[$(Line {
            operation: Operation::$name,
            who: &[$(Who::$who),*],
            person_only: operations!(@or $($person_only)?, false),
            rest: operations!(@option $($rest)?),
            cli: operations!(@option $($cli)?),
            page: operations!(@option $($page)?),
            why: operations!(@or $($why)?, ""),
        }),*];
    };
    (@or $value:literal, $default:literal) => { $value };
    (@or , $default:literal) => { $default };
    (@option $value:expr) => { Some($value) };
    (@option) => { None };
}

operations! {
    // People.
    SignIn [Anyone] rest() cli() page "/sign-in" why "the browser's: /sign-in and /sign-in/oidc make a session; machines carry a token";
    PersonRead [SignedIn] rest(("GET", "/me")) cli("user whoami") page "/account";
    PersonList [Admin, Auditor] rest(("GET", "/people")) cli("user list") page "/admin/people";
    PersonCreate [Admin] rest(("POST", "/people")) cli("user create") page "people/create_person";
    PersonUpdate [Admin] rest(("PATCH", "/people/{person}")) cli("user update") page "people/update_person";
    RoleSet [Admin] rest(("PUT", "/people/{person}/roles")) cli("user roles") page "people/set_roles";
    PasswordSet [Oneself, Admin] rest(("PUT", "/people/{person}/password")) cli("user password") page "people/set_password";
    NotificationsRead [Oneself, Admin] rest(("GET", "/people/{person}/notifications")) cli("user notifications") page "/account/notifications";
    NotificationsSet [Oneself, Admin] rest(("PUT", "/people/{person}/notifications")) cli("user notify") page "notices/set_notifications";
    IdentityList [Oneself, Admin, Auditor] rest(("GET", "/people/{person}/identities")) cli("user identities") page "/account";
    IdentityLink [Admin] rest(("POST", "/people/{person}/identities")) cli("user link");
    IdentityUnlink [Oneself, Admin] rest(("DELETE", "/people/{person}/identities/{identity}")) cli("user unlink") page "people/unlink_identity";
    TokenCreate [SignedIn] rest(("POST", "/tokens")) cli("token create") page "/account/tokens";
    TokenList [SignedIn] rest(("GET", "/tokens")) cli("token list") page "/account/tokens";
    TokenRevoke [Oneself, Admin] rest(("DELETE", "/tokens/{token}")) cli("token revoke") page "people/revoke_token";
    DomainList [SignedIn] rest(("GET", "/domains")) cli("domain list") page "/admin/domains";
    DomainCreate [Admin] rest(("POST", "/domains")) cli("domain create") page "organisation/create_domain";
    DomainUpdate [Admin] rest(("PATCH", "/domains/{domain}")) cli("domain update") page "organisation/update_domain";
    TeamList [SignedIn] rest(("GET", "/teams")) cli("team list") page "/admin/teams";
    TeamRead [SignedIn] rest(("GET", "/teams/{team}")) cli("team show") page "/admin/teams/{name}";
    TeamCreate [Admin] rest(("POST", "/teams")) cli("team create") page "organisation/create_team";
    TeamUpdate [Admin] rest(("PATCH", "/teams/{team}")) cli("team update") page "organisation/update_team";
    MemberSet [Producer, Admin] rest(("PUT", "/teams/{team}/members/{person}")) cli("team member") page "organisation/set_member";
    MemberRemove [Producer, Admin] rest(("DELETE", "/teams/{team}/members/{person}")) cli("team remove-member") page "organisation/remove_member";

    // Storages.
    StorageList [SignedIn] rest(("GET", "/storages")) cli("storage list") page "/admin/storages";
    StorageRead [SignedIn] rest(("GET", "/storages/{storage}")) cli("storage show") page "/admin/storages/{name}";
    StorageCreate [Admin] rest(("POST", "/storages")) cli("storage create") page "storages/create_storage";
    StorageUpdate [Admin] rest(("PATCH", "/storages/{storage}")) cli("storage update") page "storages/update_storage";
    CredentialReseal [Admin] rest() cli("migrate")
        why "migrate --reseal: whoever takes a key out of the key file has to see that nothing needs it any more";
    StorageDoctor [AnyProducer, Admin] rest(("POST", "/storages/{storage}/doctor")) cli("doctor") page "storages/examine_storage";
    AssessmentStart [Admin] rest(("POST", "/assessment")) cli("assess") page "storages/start_assessment";
    /// The last one.
    AssessmentRead [Admin] rest(("GET", "/assessment")) cli("assess") page "/admin/assess";
    AssessmentList [Admin] rest(("GET", "/assessments")) cli("assess") page "/admin/assess";
    AssessmentShow [Admin] rest(("GET", "/assessments/{assessment}")) cli("assess") page "/admin/assess/{id}";
    AssessmentCancel [Admin] rest(("POST", "/assessments/{assessment}/cancel")) cli("assess") page "storages/cancel_assessment";
    AssessmentWrite [System] rest() cli() why "written by the process that makes it";

    // Catalog.
    TableInspect [AnyProducer, Admin] rest(("POST", "/inspections")) cli("product inspect");
    StorageScan [AnyProducer, Admin] rest(("POST", "/storages/{storage}/scan")) cli("scan") page "declaration/scan_storage";
    ProductList [SignedIn] rest(("GET", "/products")) cli("product list") page "/catalog";
    ProductRead [SignedIn] rest(("GET", "/products/{product}")) cli("product show") page "/products/{name}";
    /// What happened to it, without what the audit log alone is to know.
    ProductHistory [SignedIn] rest(("GET", "/products/{product}/history")) cli("product history") page "/products/{name}";
    ProductRegister [Producer, Admin] rest(("POST", "/products")) cli("product register");
    ProductUpdate [Producer, Admin] rest(("PATCH", "/products/{product}")) cli("product update") page "catalog/update_product";
    ProductPublish [Producer, Admin] rest(("POST", "/products/{product}/publish")) cli("product publish") page "catalog/publish_product";
    ProductRetire [Producer, Admin] rest(("POST", "/products/{product}/retire")) cli("product retire") page "catalog/retire_product";
    DeltaLogEscape [AnyProducer, Admin, System] rest() cli() why "noted by whoever reads a log that points out of its table";
    ProductRefresh [Producer, Admin, System] rest(("POST", "/products/{product}/refresh")) cli("product refresh");

    // Cuts: what narrower replicas hold.
    CutList [SignedIn] rest(("GET", "/products/{product}/cuts")) cli("cut list") page "/products/{name}/cuts";
    CutRead [SignedIn] rest(("GET", "/products/{product}/cuts/{cut}")) cli("cut show") page "/products/{name}/cuts";
    CutCreate [Producer, Admin] rest(("POST", "/products/{product}/cuts")) cli("cut create") page "cuts/create_cut";
    CutUpdate [Producer, Admin] rest(("PATCH", "/products/{product}/cuts/{cut}")) cli("cut update") page "cuts/update_cut";
    /// Another key, which makes its replicas anew.
    CutRotate [Producer, Admin] rest(("POST", "/products/{product}/cuts/{cut}/rotate")) cli("cut rotate") page "cuts/rotate_cut";
    CutRetire [Producer, Admin] rest(("POST", "/products/{product}/cuts/{cut}/retire")) cli("cut retire") page "cuts/retire_cut";

    // Access.
    RecipientList [SignedIn] rest(("GET", "/recipients")) cli("recipient list") page "/access";
    RecipientRead [Consumer, Admin, Auditor] rest(("GET", "/recipients/{recipient}")) cli("recipient show");
    RecipientCreate [Consumer, Admin] rest(("POST", "/recipients")) cli("recipient create") page "access/create_recipient";
    RecipientUpdate [Consumer, Admin] rest(("PATCH", "/recipients/{recipient}")) cli("recipient update");
    ProfileCreate [Consumer] rest(("POST", "/recipients/{recipient}/profile")) cli("recipient profile") page "/recipients/{recipient}/profile";
    /// Replaces the living credential; shows the new one, so it is not an admin's.
    RecipientRotate [Consumer] rest(("POST", "/recipients/{recipient}/rotate")) cli("recipient rotate") page "/recipients/{recipient}/rotate";
    RecipientTokenRevoke [Consumer, Admin] rest(("DELETE", "/recipients/{recipient}/tokens/{token}")) cli("recipient revoke-token") page "access/revoke_recipient_token";
    RecipientPropertiesRead [Consumer, Admin, Auditor] rest(("GET", "/recipients/{recipient}/properties")) cli("recipient properties");
    /// They say which rows are opened, so they are not the consumer's to write.
    RecipientPropertiesSet [Admin] rest(("PUT", "/recipients/{recipient}/properties")) cli("recipient set-properties");
    /// From where it may be used, and how often.
    RecipientLimitsSet [Consumer, Admin] rest(("PUT", "/recipients/{recipient}/limits")) cli("recipient limits") page "ways/set_recipient_limits";
    /// Lets somebody in, as a credential does, so it is not an admin's.
    FederationSet [Consumer] rest(("PUT", "/recipients/{recipient}/federation")) cli("recipient federate") page "ways/set_federation";
    FederationEnd [Consumer, Admin] rest(("DELETE", "/recipients/{recipient}/federation")) cli("recipient end-federation") page "ways/end_federation";
    ActivationCreate [Consumer] rest(("POST", "/recipients/{recipient}/activation")) cli("recipient activation") page "/recipients/{recipient}/activation";
    ActivationEnd [Consumer, Admin] rest(("DELETE", "/recipients/{recipient}/activation")) cli("recipient end-activation") page "ways/end_activation";
    ActivationUse [Anyone] rest() cli() page "/activate" why "the link is the right; whoever opens it needs no account, and uses it in a browser";
    TokenReport [Admin, System] rest(("POST", "/leaked-tokens")) cli("recipient leaked");
    OfferRead [SignedIn] rest(("GET", "/products/{product}/offer")) cli("product offer") page "/products/{name}/request";
    RequestList [SignedIn] rest(("GET", "/requests")) cli("request list") page "/approvals";
    RequestRead [Consumer, OwnerMember, DataProtection, Auditor, Admin] rest(("GET", "/requests/{request}")) cli("request show") page "/requests/{id}";
    RequestCreate [Consumer] rest(("POST", "/requests")) cli("request create") page "access/create_request";
    RequestWithdraw [Consumer] rest(("POST", "/requests/{request}/withdraw")) cli("request withdraw") page "access/withdraw_request";
    RequestDecide [Producer, DataProtection] person_only true rest(("POST", "/requests/{request}/decisions")) cli("request decide") page "access/decide_request";
    GrantDeclare [Producer, Admin] rest() cli() why "the right that a declared grant needs; used by DeclarationDeploy";
    GrantList [SignedIn] rest(("GET", "/grants")) cli("grant list") page "/access";
    GrantRead [Consumer, OwnerMember, DataProtection, Auditor, Admin] rest(("GET", "/grants/{grant}")) cli("grant show") page "/access";
    GrantRevoke [Consumer, Producer, DataProtection, Admin] rest(("POST", "/grants/{grant}/revoke")) cli("grant revoke") page "access/revoke_grant";
    /// Which rows a grant opens, and whether a credential for whole folders; of personal data only by a data-protection officer.
    GrantNarrow [Producer, DataProtection, Admin] rest(("PUT", "/grants/{grant}/scope")) cli("grant narrow") page "access/narrow_grant";
    GrantLimit [Producer, Admin] rest(("PUT", "/grants/{grant}/limit")) cli("grant limit") page "access/limit_grant";
    ShareQueryList [SignedIn] rest(("GET", "/share-queries")) cli("recipient queries") page "/products/{name}/usage";
    GrantObserve [System] rest() cli() why "actual state is written by the reconciler only";
    ShareRead [System] rest() cli() why "the sharing protocol itself: a recipient's token, not a person's";

    // Replicas.
    ReplicaList [SignedIn] rest(("GET", "/replicas")) cli("replica list") page "/replicas";
    ReplicaRead [Consumer, OwnerMember, DataProtection, Auditor, Admin] rest(("GET", "/replicas/{replica}")) cli("replica show") page "/replicas/{id}";
    SyncJobUpdate [Producer, Admin] rest(("PATCH", "/replicas/{replica}/job")) cli("replica schedule") page "replicas/change_sync_job";
    SyncStart [Producer, Consumer, Admin] rest(("POST", "/replicas/{replica}/sync")) cli("sync") page "replicas/start_sync";
    /// Before a byte moves, what the next sync would.
    SyncPlanRead [Consumer, OwnerMember, DataProtection, Auditor, Admin] rest(("GET", "/replicas/{replica}/plan")) cli("sync") page "/replicas/{id}";
    VacuumStart [Producer, DataProtection, Admin] rest(("POST", "/replicas/{replica}/vacuum")) cli("vacuum") page "replicas/start_vacuum";
    VerifyStart [Producer, Consumer, Admin] rest(("POST", "/replicas/{replica}/verify")) cli("verify") page "replicas/start_verify";
    ReplicaRelease [Admin] rest(("POST", "/replicas/{replica}/release")) cli("replica release") page "replicas/release_replica";
    /// A copy that lies in a storage already and is to become the first clone there.
    AdoptionList [SignedIn] rest(("GET", "/adoptions")) cli("replica adoptions") page "/adoptions";
    AdoptionSet [Producer, Admin] rest(("POST", "/adoptions")) cli("replica adopt") page "replicas/adopt_copy";
    SyncRunList [SignedIn] rest(("GET", "/sync-runs")) cli("replica runs") page "/replicas/{id}";
    SyncRunRead [Consumer, OwnerMember, DataProtection, Auditor, Admin] rest(("GET", "/sync-runs/{run}")) cli("replica run") page "/runs/{id}";
    SyncRunWrite [System] rest() cli() why "written by the worker that holds the run";
    ReplicaReconcile [System] rest() cli() why "actual state is written by the reconciler only";

    // Erasures.
    ErasureList [SignedIn] rest(("GET", "/erasures")) cli("erasure list") page "/erasures";
    ErasureRead [OwnerMember, DataProtection, Auditor, Admin] rest(("GET", "/erasures/{erasure}")) cli("erasure show") page "/erasures/{id}";
    ErasureRequest [Producer, DataProtection, Admin] rest(("POST", "/erasures")) cli("erasure request") page "erasures/request_erasure";
    ErasureCertificate [OwnerMember, DataProtection, Auditor, Admin] rest(("GET", "/erasures/{erasure}/certificate")) cli("erasure certificate") page "/erasures/{id}";
    /// With it anybody checks a certificate.
    ErasureKeyRead [SignedIn] rest(("GET", "/erasure-key")) cli("erasure key") page "/erasures";
    ErasureKeyRotate [Admin] rest(("POST", "/erasure-key/rotate")) cli("erasure rotate-key");

    // Flows of the old way.
    FlowList [SignedIn] rest(("GET", "/flows")) cli("flow list") page "/flows";
    FlowRegister [Producer, Finance, Admin] rest(("POST", "/flows")) cli("flow register") page "flows/register_flow";
    FlowImport [AnyProducer, Finance, Admin] rest(("POST", "/flows/import")) cli("flow import") page "flows/import_flows";
    FlowSwitch [Producer, Finance, Admin] rest(("POST", "/flows/{flow}/switch")) cli("flow switch") page "flows/switch_flow";
    FlowCompare [Producer, Admin] rest(("POST", "/flows/{flow}/compare")) cli("flow compare") page "flows/compare_flow";
    FlowRemove [Producer, Finance, Admin] rest(("DELETE", "/flows/{flow}")) cli("flow remove") page "flows/remove_flow";

    // Billing.
    RateList [SignedIn] rest(("GET", "/rates")) cli("billing rates") page "/admin/rates";
    RateCreate [Finance, Admin] rest(("POST", "/rates")) cli("billing rate") page "billing/create_rate";
    MeterRecord [System] rest() cli() why "written by whoever counted the bytes";
    MeterList [SignedIn] rest(("GET", "/meter-events")) cli("billing events");
    ReportRun [Finance, Admin, System] rest(("POST", "/billing/report")) cli("billing report");
    AccessLogImport [Finance, Admin, System] rest(("POST", "/billing/access-log")) cli("billing import-access-log");
    ChargeList [SignedIn] rest(("GET", "/charges")) cli("billing charges") page "/costs";
    StatementList [SignedIn] rest(("GET", "/statements")) cli("billing statements") page "/costs";
    StatementRead [OwnerMember, Finance, Auditor, Admin] rest(("GET", "/statements/{team}/{month}")) cli("billing statement") page "/costs/{team}/{month}";
    StatementLineRead [OwnerMember, Finance, Auditor, Admin] rest(("GET", "/statements/{team}/{month}/line")) cli("billing line") page "/costs/{team}/{month}/line";
    StatementIssue [Finance] rest(("POST", "/statements/{team}/{month}/issue")) cli("billing issue") page "billing/issue_statement";
    SavingRead [SignedIn] rest(("GET", "/savings")) cli("billing savings") page "/costs";

    // Advice.
    AdviceList [SignedIn] rest(("GET", "/advice")) cli("advice list") page "/advice";
    /// Who may see what the product costs: its team, who reads it in that place, and those who see all costs.
    AdviceRead [OwnerMember, Consumer, Finance, Auditor, Admin] rest(("GET", "/advice/{advice}")) cli("advice show") page "/advice/{id}";
    /// What it does is asked of the operation that does it, too.
    AdviceAccept [Producer, Consumer, Admin] rest(("POST", "/advice/{advice}/accept")) cli("advice accept") page "advice/accept_advice";
    AdviceSnooze [Producer, Finance, Admin] rest(("POST", "/advice/{advice}/snooze")) cli("advice snooze") page "advice/snooze_advice";
    AdviceDecline [Producer, Finance, Admin] rest(("POST", "/advice/{advice}/decline")) cli("advice decline") page "advice/decline_advice";
    AdviceReckon [Producer, Finance, Admin, System] rest(("POST", "/products/{product}/advice")) cli("advice reckon");

    // Audit, work, declaration.
    AuditList [Auditor, Admin] rest(("GET", "/audit")) cli("audit list") page "/admin/audit";
    AuditVerify [Auditor, Admin] rest(("POST", "/audit/verify")) cli("audit verify") page "audit/verify_chain";
    WorkList [Admin] rest(("GET", "/work")) cli("work list") page "/admin/jobs";
    WorkRetry [Admin] rest(("POST", "/work/{work}/retry")) cli("work retry") page "audit/retry_work";
    WorkRetryAll [Admin] rest(("POST", "/work/retry")) cli("work retry") page "audit/retry_all";
    DeliveryRead [SignedIn] rest(("GET", "/delivery")) cli("doctor");
    DeliveryTest [Admin] rest(("POST", "/delivery/test")) cli("doctor");
    NoticeSend [System] rest() cli() why "mail and webhook are sent by the worker that holds the work";
    WorkRun [System] rest() cli() why "leasing is the workers' own";
    DeclarationValidate [SignedIn] rest(("POST", "/declaration/validate")) cli("validate");
    DeclarationPlan [SignedIn] rest(("POST", "/declaration/plan")) cli("plan") page "declaration/plan_declaration";
    DeclarationDeploy [SignedIn] rest(("POST", "/declaration/deploy")) cli("deploy") page "declaration/deploy_declaration";
    DeclarationExport [SignedIn] rest(("GET", "/declaration")) cli("export") page "/products/{name}";
}

impl Operation {
    pub fn line(self) -> &'static Line {
        // TABLE is made by the same macro in the same order as the enum.
        &TABLE[self as usize]
    }
}
