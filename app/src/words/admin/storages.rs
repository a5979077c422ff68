//! The pages of storages, and what the doctor says of one.

// All storages.
pub(crate) const ADDRESS_HINT: &str = "s3://bucket/prefix, abfss://container@account.dfs.core.windows.net/prefix, gs://bucket/prefix, file:///folder, or share://host/path for a Delta Share";
pub(crate) const REGION_HINT: &str =
    "As the cloud writes it, for example eu-central-1. Prices depend on it.";
pub(crate) const ENDPOINT_HINT: &str = "Only for a store that is not at its cloud’s own address.";
pub(crate) const REPLICAS_HINT: &str = "Copies for readers in this region are made here; that takes a credential that may write and delete.";
pub(crate) const STORAGES: &str = "Storages";
pub(crate) const WHAT_STORAGES_ARE: &str =
    "Where tables lie and where replicas may. What is registered stays where it is.";
pub(crate) const NO_STORAGE_YET: &str = "No storage yet";
pub(crate) const WHO_MAKES_STORAGES: &str = "Producers register tables from storages. An administrator makes one for each place where tables lie, and one for each region that is to hold replicas.";
pub(crate) const STORAGE: &str = "Storage";
pub(crate) const WHERE: &str = "Where";
pub(crate) const ADDRESS: &str = "Address";
pub(crate) const REPLICAS: &str = "Replicas";
pub(crate) const MAY_BE_MADE_HERE: &str = "may be made here";
pub(crate) const NONE: &str = "none";
pub(crate) const SIMULATED: &str = "Simulated";
pub(crate) const MAKE_A_STORAGE: &str = "Make a storage";
pub(crate) const NAME: &str = "Name";
pub(crate) const NAME_HINT: &str = "Lower case, for example aws_eu. It stays.";
pub(crate) const CLOUD: &str = "Cloud";
pub(crate) const REGION: &str = "Region";
pub(crate) const ENDPOINT: &str = "Endpoint";
pub(crate) const REPLICAS_MAY_BE_MADE_HERE: &str = "Replicas may be made here";
pub(crate) const MAKE_THE_STORAGE: &str = "Make the storage";

// One storage.
pub(crate) const CREDENTIAL: &str = "Credential";
pub(crate) const DOCTOR: &str = "Doctor";
pub(crate) const WHAT_THE_DOCTOR_DOES: &str = "It looks at the storage as it will be used: lists, reads, signs, and writes if you say so. It changes nothing that is there.";
pub(crate) const ALSO_TRY_WRITING: &str = "Also try writing";
pub(crate) const TRY_WRITING_HINT: &str =
    "It writes a probe below _entrepot/ and deletes it again. Replicas need it.";
pub(crate) const RUN_THE_DOCTOR: &str = "Run the doctor";
pub(crate) const CHANGE_THE_STORAGE: &str = "Change the storage";
pub(crate) const WHEN_A_STORAGE_MOVES: &str =
    "Cloud, region and address move only while nothing is registered or replicated here.";

// The fields of a credential.
pub(crate) const CREDENTIAL_STAYS_HINT: &str = "It stays as it is where you fill in nothing. It is kept sealed and shown to nobody; if something else is refused, type it anew.";
pub(crate) const CREDENTIAL_HINT: &str = "Of one cloud, of a Delta Share, or of none for a folder. It is kept sealed and shown to nobody; if something else is refused, type it anew.";
pub(crate) const KEYS_OF_AWS: &str = "Keys of AWS, or of a store that speaks S3";
pub(crate) const ACCESS_KEY_ID: &str = "Access key id";
pub(crate) const SECRET_ACCESS_KEY: &str = "Secret access key";
pub(crate) const SESSION_TOKEN: &str = "Session token, of temporary keys";
pub(crate) const ROLE_ARN: &str = "Role for temporary credentials";
pub(crate) const ROLE_ARN_HINT: &str =
    "Only if recipients are to be given credentials for folders: arn:aws:iam::ACCOUNT:role/NAME.";
pub(crate) const TENANT_ID: &str = "Tenant of an application";
pub(crate) const APPLICATION_HINT: &str = "An application of Entra ID opens what it was given and no more, where the account’s key opens everything.";
pub(crate) const CLIENT_ID: &str = "Application (client) ID";
pub(crate) const CLIENT_SECRET: &str = "Client secret";
pub(crate) const KEY_OF_AZURE: &str = "Key of Azure";
pub(crate) const ACCOUNT_KEY: &str = "Or account key";
pub(crate) const OR_SHARED_ACCESS_SIGNATURE: &str = "Or shared-access signature";
pub(crate) const SHARED_ACCESS_SIGNATURE_HINT: &str =
    "It signs no addresses, so what lies there cannot be shared.";
pub(crate) const KEY_OF_GOOGLE_CLOUD: &str = "Key of Google Cloud";
pub(crate) const SERVICE_ACCOUNT_KEY: &str = "Service account’s key, the JSON file";
pub(crate) const PROFILE_OF_A_DELTA_SHARE: &str = "Profile of a Delta Share";
pub(crate) const PROFILE: &str = "Profile, the JSON file";
pub(crate) const PROFILE_HINT: &str = "As the provider gave it. Its endpoint, with share:// in the place of https://, is the storage’s address.";
pub(crate) const FROM_THE_SERVERS_ENVIRONMENT: &str = "From the server’s environment";
pub(crate) const NAME_OF_THE_VARIABLE: &str = "Name of the variable";
pub(crate) const NAME_OF_THE_VARIABLE_HINT: &str =
    "ENTREPOT_CREDENTIAL_…; its value is the key as JSON.";

// What the doctor found.
pub(crate) const WHAT_WAS_TRIED: &str = "What was tried";
pub(crate) const OUTCOME: &str = "Outcome";
pub(crate) const WHAT_WAS_SEEN_AND_WHAT_TO_DO: &str = "What was seen, and what to do";
pub(crate) const WHAT_THE_DOCTOR_FOUND: &str = "What the doctor found";
pub(crate) const LEAST_POLICY_THAT_WOULD_DO: &str = "The least policy that would do";
pub(crate) const WHERE_TO_PASTE_THE_POLICY: &str =
    "Paste it into the cloud’s console, in place of whatever the credential may do now.";
pub(crate) const LEAST_POLICY: &str = "Least policy";
pub(crate) const SOMETHING_DOES_NOT_WORK: &str =
    "Something does not work. Mend what failed below, then let the doctor look again.";
pub(crate) const WORKS_BUT_NOT_QUITE: &str =
    "It works, but something should be put right: see below.";
pub(crate) const CAN_BE_USED_AS_IT_IS: &str = "The storage can be used as it is.";
pub(crate) const SEE_WHAT_IS_THERE: &str = "See what is there";
pub(crate) const READ_AN_OBJECT: &str = "Read an object";
pub(crate) const WRITE_AN_OBJECT: &str = "Write an object";
pub(crate) const REFUSE_A_SECOND_WRITER: &str = "Refuse a second writer";
pub(crate) const DELETE_AN_OBJECT: &str = "Delete an object";
pub(crate) const SIGN_AN_ADDRESS: &str = "Sign an address";
pub(crate) const REFUSE_AN_UNSIGNED_ADDRESS: &str = "Refuse an address without signature";
pub(crate) const OPEN_NO_MORE_THAN_THIS: &str = "Open no more than this storage";
pub(crate) const COUNT_WHAT_IS_READ: &str = "Count what is read";
pub(crate) const LISTING_OR_READING_FAILED: &str = "Compare what the credential may do with the least policy below. Until it works, nothing here can be registered or read.";
pub(crate) const WRITING_OR_DELETING_FAILED: &str = "Let the credential write and delete as the least policy below says, or change the storage so that no replicas are made here.";
pub(crate) const SECOND_WRITER_IS_NOT_REFUSED: &str =
    "Make no replicas here: two processes could overwrite each other’s commits.";
pub(crate) const SIGNING_FAILED: &str = "Until it signs, what lies here cannot be shared. Give it a key that signs; a shared-access signature does not.";
pub(crate) const STORE_IS_OPEN_TO_THE_PUBLIC: &str =
    "Close the store to the public: whoever has an address could read without a grant.";
pub(crate) const CREDENTIAL_OPENS_MORE: &str =
    "Bind the credential to this storage’s prefix with the least policy below.";
pub(crate) const PROCESS_HAS_NO_PLACE: &str =
    "Name the process’s place in its configuration (docs/OPERATING.md, “Several locations”).";
