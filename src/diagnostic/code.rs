//! Registry of the stable ids of problems, each with its explanation.
//!
//! The ids are a contract with pipelines: a message may change in any version, its id may not. From this
//! table come `error[id]` in text, `id` in JSON, `flowbind explain` and `docs/troubleshooting.md`.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Explanation of one id, in Markdown without headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// One line: what is wrong.
    pub title: &'static str,
    /// What the problem means, and how it comes about.
    pub meaning: &'static str,
    /// What was changed in the tenant when this was reported.
    pub changed: &'static str,
    /// What to do next.
    pub action: &'static str,
}

/// Area of the program that an id belongs to, in the order of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum Area {
    /// Command line, environment, files to read and to write.
    Usage,
    /// Desired-state files.
    Files,
    /// Names and ids of a file that the tenant does not have.
    Tenant,
    /// Sign-in and the token's tenant.
    SignIn,
    /// Requests to Microsoft Graph.
    Graph,
    /// Guards that block a plan.
    Guards,
    /// Apply, and saved plans and reports.
    Apply,
}

impl Area {
    /// Returns the heading of the area.
    pub fn title(self) -> &'static str {
        match self {
            Self::Usage => "Command line, environment, inputs and outputs",
            Self::Files => "Desired-state files",
            Self::Tenant => "Names that the tenant does not have",
            Self::SignIn => "Signing in",
            Self::Graph => "Requests to Microsoft Graph",
            Self::Guards => "Guards: why a plan is blocked",
            Self::Apply => "Applying, and saved plans and reports",
        }
    }
}

/// Nothing was changed, because the problem is found before the first PUT.
const NOTHING: &str = "Nothing was changed.";

macro_rules! codes {
    ($($area:ident {
        $($variant:ident = $id:literal: $title:literal, $meaning:literal, $changed:expr, $action:literal;)+
    })+) => {
        /// Stable id of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Display, EnumString, IntoStaticStr, VariantArray)]
        #[allow(missing_docs, reason = "the title of each is in its explanation")]
        pub enum Code { $($(#[strum(serialize = $id)] $variant,)+)+ }

        impl Code {
            /// Returns the id in kebab case.
            pub fn id(self) -> &'static str {
                self.into()
            }

            /// Returns the area that the id belongs to.
            pub fn area(self) -> Area {
                match self { $($(Self::$variant => Area::$area,)+)+ }
            }

            /// Returns the explanation of the id.
            pub fn explanation(self) -> Explanation {
                match self {
                    $($(Self::$variant => Explanation {
                        title: $title, meaning: $meaning, changed: $changed, action: $action,
                    },)+)+
                }
            }
        }
    };
}

codes! {
    Usage {
        Usage = "usage": "The command line is not valid",
            "An argument, an option or a combination of options is not accepted by this command.",
            NOTHING,
            "Read the hint below the message, or run `flowbind COMMAND --help`.";
        InvalidEnvironment = "invalid-environment": "An environment variable has an unusable value",
            "flowbind reads credentials and a few settings from environment variables; `flowbind COMMAND --help` lists \
             them. This value is not of the form that the variable needs, or is not UTF-8. On Windows, it may also be a \
             proxy in the settings of the system that is not supported.",
            NOTHING,
            "Set the variable that the message or its hint names to a valid value, or unset it.";
        InvalidGraphUrl = "invalid-graph-url": "The Graph URL cannot be used",
            "`--graph-url` needs a root of Microsoft Graph with the API version of the file. It must use https, except \
             for loopback, because the access token is sent to it.",
            NOTHING,
            "Pass a root such as `https://graph.microsoft.com/beta`, or leave `--graph-url` out.";
        InvalidCaFile = "invalid-ca-file": "The file of certificate authorities cannot be used",
            "The value of `--ca-file` is not a readable PEM file with at least one certificate, or a certificate in it \
             is invalid. The message has its number and line.",
            NOTHING,
            "Pass a PEM file with the certificates of the authorities to trust. Remove an invalid certificate, or copy \
             it again.";
        TrustStoreUnusable = "trust-store-unusable": "The certificate authorities cannot be used",
            "Neither the system nor `SSL_CERT_FILE` or `SSL_CERT_DIR`, which replace its store, has usable certificate \
             authorities. Minimal container images often have none.",
            NOTHING,
            "If the message names a variable, correct or unset it. Otherwise install the package `ca-certificates`, or \
             pass a PEM file with `--ca-file`.";
        OutputNotWritable = "output-not-writable": "An output cannot be written",
            "A file of `--out`, a snapshot of `--sandbox`, a folder, a journal, a summary file of the pipeline or stdout \
             could not be written. \
             Files of `--out` are opened before the first request, so most such errors are found before the tenant is \
             read. A disk that becomes full during the run is found at the end.",
            "Before the plan: nothing. After an `apply`: see the report on stdout, in the other outputs or in the file \
             that the last line on stderr names, and the exit code. Code 4 means that changes were sent.",
            "Pass a path in a folder that can be written to, and is not reached through a link out of the \
             repository. After an `apply`, run `flowbind plan` to see what the tenant has now.";
        OutputConflict = "output-conflict": "An output is also an input, or is given twice",
            "A run must not replace a file that it reads, and two outputs must not share a file.",
            NOTHING,
            "Give each `--out` a file of its own.";
        OutputExists = "output-exists": "An exported file exists and has other content",
            "`export` does not replace a file that differs, apart from the time of the export: it may have been edited.",
            "Nothing in the tenant and in the file.",
            "Add `--overwrite` to replace the file, or pass another path. `flowbind accept` changes a file to what the \
             tenant has, and keeps its comments.";
        StepLimit = "step-limit": "An output of a GitHub step was left out because of its size",
            "GitHub accepts 1 MiB in the summary of a step, and drops a longer one completely. It accepts 1 MiB in all \
             outputs of a job. Other commands of the step write to the same files.",
            "No effect on the tenant and on the other outputs.",
            "Read the rest in a file of `--out`, run flowbind in a step of its own, or split the run with `--shard`.";
        InputUnreadable = "input-unreadable": "A file or folder cannot be read",
            "It does not exist, the permissions do not allow reading it, it is too large or not UTF-8, or it is a link to a \
             file that does not exist.",
            NOTHING,
            "Check the path and its permissions. Without FILES, flowbind reads `flowbind.yaml` in the working \
             directory; `flowbind export --tenant TENANT --out flowbind.yaml` writes a first one.";
        InputNotAllowed = "input-not-allowed": "A file is outside the repository or not a regular file",
            "Files in folders must be regular files of the repository, and links must not lead out of it. Otherwise a \
             pull request could link to a secret file, and an error message would print lines of it.",
            NOTHING,
            "Move the file into the repository, or name the real path on the command line.";
        InvalidSnapshot = "invalid-snapshot": "A snapshot is not valid",
            "The file of `--sandbox` or `flowbind sandbox` is not a snapshot of a tenant, or a tenant has a value \
             that the snapshot format cannot hold.",
            NOTHING,
            "`flowbind schema snapshot` prints the format; `flowbind export --format snapshot` writes one.";
        SandboxMismatch = "sandbox-mismatch": "The sandboxes do not match the tenants of the run",
            "With `--sandbox`, each tenant of the run needs exactly one snapshot, with its tenant and its cloud.",
            NOTHING,
            "Pass one `--sandbox FILE` for each tenant of the run.";
        System = "system": "The operating system reported an error",
            "An operation on this machine failed, such as opening a socket.",
            "Before the plan: nothing. During an apply: see the report.",
            "Read the cause below the message.";
    }
    Files {
        EmptyFolder = "empty-folder": "A folder has no desired-state file",
            "For a folder, flowbind reads all `*.yaml` and `*.yml` files directly in it that are not hidden. This one has \
             none.",
            NOTHING,
            "Name another folder, or the files themselves. Subfolders are not read.";
        FileGivenTwice = "file-given-twice": "A file is given twice",
            "The same file is given twice on the command line, directly, through its folder or through a link.",
            NOTHING,
            "Name each file once.";
        FileTooLarge = "file-too-large": "A file is larger than 16 MiB",
            "The limit protects the run against files that are not desired-state files.",
            NOTHING,
            "Split the file, for example into one file for each tenant.";
        FileNotUtf8 = "file-not-utf8": "A file is not UTF-8",
            "Desired-state files are UTF-8, with or without a byte order mark.",
            NOTHING,
            "Save the file as UTF-8. The message points to the first byte that is not.";
        InvalidYaml = "invalid-yaml": "A file is not valid YAML",
            "The parser stopped at the marked location. The mistake may be in a line above it.",
            NOTHING,
            "Indent with spaces, close quotes and brackets, and quote strings that contain `: ` or ` #`.";
        UnsupportedYaml = "unsupported-yaml": "A file uses a part of YAML that flowbind does not accept",
            "Merge keys (`<<`), tags (`!…`) and several documents in one file hide from a reviewer what the file \
             means, so they are errors.",
            NOTHING,
            "Write the values out, use `extends` to share them, and keep one document in a file.";
        YamlLimit = "yaml-limit": "A file expands beyond the limits for YAML",
            "Aliases that refer to other aliases can expand a small file to gigabytes, and deep nesting can exhaust \
             the stack. The limits are far above what a desired-state file needs.",
            NOTHING,
            "Write the values out in place of the aliases, and nest less deeply.";
        EmptyFile = "empty-file": "A desired-state file is empty",
            "It has no keys: it is blank, has only comments, or is `null`.",
            NOTHING,
            "Write at least `version: 1`, `tenant:` and `flows:`.";
        UnsupportedVersion = "unsupported-version": "The version of a desired-state file is not supported",
            "`version` is not 1, the only version that this flowbind reads.",
            NOTHING,
            "Write `version: 1`, or use a flowbind that reads this version.";
        UnknownKey = "unknown-key": "A key is not known",
            "The key has no meaning at this level. Unknown keys are errors, because a misspelled key would otherwise \
             be ignored.",
            NOTHING,
            "Correct the spelling; the message lists the valid keys.";
        MissingKey = "missing-key": "A required key is missing",
            "`version`, `tenant` and `flows` are required. A file without `tenant` can only be a base that other \
             files extend.",
            NOTHING,
            "Add the key that the message names.";
        MissingValue = "missing-value": "A key has no value",
            "An empty value does not count as `null`: a half-typed line must not disable a check.",
            NOTHING,
            "Write a value, or `null` to disable a binding.";
        InvalidType = "invalid-type": "A value has the wrong type",
            "The value is, for example, a number or a list where the key needs a string. Without the space after \
             its colon, an entry of a mapping is read as a string.",
            NOTHING,
            "Write the type that the message names. Put names that look like numbers in quotes.";
        InvalidValue = "invalid-value": "A value is not one that the key accepts",
            "The value has the right type, but it is empty or not one of the accepted values.",
            NOTHING,
            "Write one of the values that the hint lists.";
        DuplicateKey = "duplicate-key": "A key, a step or a base is listed twice",
            "It occurs twice in one mapping or list. YAML parsers differ in which occurrence counts.",
            NOTHING,
            "Keep one of them. The message shows the location of the first.";
        UnknownStep = "unknown-step": "A step is not known",
            "The steps are `postFederationSignup`, `postAttributeCollection` and `preTokenIssuance`. The keys \
             `connector` and `protect` belong to the binding at a step, not to the flow.",
            NOTHING,
            "Correct the name of the step, or indent the key below its step.";
        InvalidFlowId = "invalid-flow-id": "An id is not the id of a user flow",
            "Ids of user flows start with `B2C_1_` (Azure AD B2C) or `B2X_1_` (workforce tenants). Custom policies \
             (`B2C_1A_…`) call REST services by their own technical profiles and cannot be managed here. A step \
             that is not indented below its flow is also read as the id of a flow.",
            NOTHING,
            "Write the id as Graph returns it, such as `B2C_1_signup_signin`. Indent steps below their flow.";
        FlowIdCase = "flow-id-case": "Two flow ids differ only in letter case",
            "It is not documented whether Graph distinguishes such ids. They are treated as one flow that is listed \
             twice.",
            NOTHING,
            "Keep the spelling that the tenant has.";
        MixedFlowKinds = "mixed-flow-kinds": "A file lists flows of both kinds",
            "A tenant is an Azure AD B2C tenant (`B2C_1_…`) or a workforce tenant (`B2X_1_…`), never both.",
            NOTHING,
            "Move the flows of one kind to the file of their own tenant.";
        UnlistedStep = "unlisted-step": "A bound step is not listed under `steps`",
            "`steps` lists the steps that the file manages. A binding at any other step would be ignored.",
            NOTHING,
            "Add the step to `steps`.";
        UnsupportedByApi = "unsupported-by-api": "The API version lacks what the file or the command asks for",
            "Graph v1.0 has B2X flows and two steps only, and no user flows in the US Government clouds.",
            NOTHING,
            "Write `api: beta`, or leave `api` out.";
        UnnamedConnector = "unnamed-connector": "A connector entry or a binding names no connector",
            "An entry under `connectors` needs a `displayName` or an `id`; a binding written as a mapping needs \
             `connector`.",
            NOTHING,
            "Add the missing key. `connector: null` disables the binding.";
        UnknownShortName = "unknown-short-name": "A binding names a connector that `connectors` does not list",
            "If a file has `connectors`, its bindings use the short names or ids. A displayName that is not a short \
             name is an error, so that misspellings are found offline.",
            NOTHING,
            "Correct the name, add it to `connectors`, or write the connector's id.";
        InvalidShortName = "invalid-short-name": "A short name is empty or a GUID",
            "A GUID in a binding is always the id of a connector. A short name of this form could never be used.",
            NOTHING,
            "Give the connector a readable short name.";
        InvalidBase = "invalid-base": "A file under `extends` cannot be used",
            "The base does not exist, is not a regular file, or lies outside the repository; or its path is absolute, or not the \
             same file on every system.",
            NOTHING,
            "Write the path of a file in the same repository, relative to the file that extends it, with `/`.";
        ExtendsCycle = "extends-cycle": "Files extend one another in a cycle",
            "A file extends itself, directly or through other files, so no merge order exists.",
            NOTHING,
            "Remove one of the `extends` that the message lists.";
        ExtendsOrder = "extends-order": "The order of bases is contradictory",
            "A file overrides what it extends, and what is listed before it. The lists of several files demand \
             opposite orders for the same two files.",
            NOTHING,
            "List a base before the files that extend it, and the same files in the same order everywhere.";
        ExtendsDepth = "extends-depth": "Too many files extend one another in a chain",
            "The limit of 32 files keeps the merge order reviewable.",
            NOTHING,
            "Shorten the chain of `extends`.";
        HoldTooLong = "hold-too-long": "A hold is longer than 90 days",
            "A `hold` is a temporary exception, so its `until` is at most 90 days after the start of the run. The start is \
             the current time, or `SOURCE_DATE_EPOCH` if it is set.",
            NOTHING,
            "Write an earlier `until`, and renew the hold if it is still needed then. If the exception is permanent, change \
             `connector`.";
        HoldExpired = "hold-expired": "The hold of a binding is over, and the file still has it",
            "Until the time in `until`, the binding has the value of `hold`. Now its regular value counts again: `plan` \
             lists the change, and `drift` reports the difference. A warning does not change the exit code.",
            NOTHING,
            "Remove `hold` from the file. If the exception is still needed, write a later `until`.";
        ConflictingBindings = "conflicting-bindings": "Two files manage the same binding",
            "Each binding is managed by one file. Otherwise each apply of one file would undo the other.",
            NOTHING,
            "Keep the binding in one of the files. The message shows the location in the other file.";
        ConflictingSettings = "conflicting-settings": "Files of one tenant differ in their settings",
            "All files of a tenant share one connection, so `cloud`, `api`, `clientId` and the kind of flows must \
             agree.",
            NOTHING,
            "Write the same value in all files of the tenant, for example in a common base.";
    }
    Tenant {
        FlowNotFound = "flow-not-found": "The tenant has no such user flow",
            "Graph answered 404 for the flow, and the list of flows does not contain it. A flow that could not be \
             read for another reason is reported as unreadable instead.",
            NOTHING,
            "Correct the id, create the flow first, or remove it from the file.";
        ConnectorNotFound = "connector-not-found": "The tenant has no such API connector",
            "No connector has this displayName or id. Names are compared exactly, including letter case.",
            NOTHING,
            "Create the connector first, or correct the name. If another connector calls the pinned address, the \
             message names it, because the connector was probably renamed.";
        ConnectorAmbiguous = "connector-ambiguous": "Several API connectors have the same name",
            "displayNames are not unique in a tenant, so the name does not select one connector.",
            NOTHING,
            "Select the connector by its `id`.";
        ConnectorMismatch = "connector-mismatch": "A connector's `id` and `displayName` do not belong together",
            "The file names a connector by id and by name, and the tenant has another name for this id.",
            NOTHING,
            "Find out whether the connector was renamed. Then correct one of the two, or keep only one.";
        ConnectorsUnreadable = "connectors-unreadable": "The API connectors of the tenant could not be listed",
            "Names and pins are compared with this list. Without it, the plan is incomplete.",
            NOTHING,
            "Resolve the cause below the message. `flowbind whoami` shows the permissions of the token. A file \
             that names connectors by `id` without pins does not need the list.";
        ConnectorUnreadable = "connector-unreadable": "The tenant lists one API connector with different content",
            "Two pages of the list, or one of them, have the connector with different names, addresses or \
             certificates. None of them is used, so the plan is incomplete if a name, an id or a pin needs the \
             connector.",
            NOTHING,
            "Run again: the connector may have changed while the list was read. If the error stays, compare both \
             with the portal.";
        FlowsUnreadable = "flows-unreadable": "The user flows of the tenant could not be listed",
            "`prune: flows`, `drift --strict` and `export` need the list of all flows.",
            NOTHING,
            "Resolve the cause below the message. `flowbind whoami` shows the permissions of the token.";
        TenantAlias = "tenant-alias": "One tenant is named in two ways",
            "Two files name the same tenant, for example one by a domain and one by the GUID. Bindings that both files \
             manage can then not be found before the tenants are read.",
            NOTHING,
            "Write the tenant in the same way in all files.";
        UndocumentedStep = "undocumented-step": "A step is not part of Graph's documentation",
            "Graph's metadata has `preTokenIssuance`, but its reference does not mention it. Graph may stop accepting \
             it without notice.",
            "The warning itself changes nothing. The plan changes a binding at this step.",
            "Test the flow after each apply. If Graph rejects the step, remove it from `steps` and from the flows.";
        UnsupportedStep = "unsupported-step": "The service rejects a step, so it was not read",
            "`export` and `drift --strict` read all three steps. Graph's metadata has `preTokenIssuance`, but its \
             reference does not mention it, and a service may reject it. If no file manages it, only the other two \
             steps are read.",
            NOTHING,
            "Look at this step in the portal. To make `export` fail instead, pass the steps with `--steps`.";
        StepNeverCalled = "step-never-called": "A binding at a step that its flow never calls",
            "Microsoft documents `postFederationSignup` and `postAttributeCollection` for sign-ups only, and \
             `preTokenIssuance` for sign-ups and sign-ins. Flows of other types do not call the connector.",
            NOTHING,
            "Bind the connector in the flow that users go through, and remove this binding.";
        CertificateExpires = "certificate-expires": "The certificate of a bound connector expires",
            "The connector authenticates with a client certificate, and has no active one that is valid for 30 more \
             days, or for the days of `drift --certificate-days`. Without a valid certificate, the API is likely to \
             reject the calls of the flow.",
            NOTHING,
            "Upload a new certificate to the connector, in the portal or with `uploadClientCertificate` of Graph. The \
             connector uses it as soon as Graph shows it as active.";
        DanglingBinding = "dangling-binding": "A binding points to a deleted connector",
            "The flow refers to a connector that is not in the tenant's list. Sign-ups at this step are likely to \
             fail.",
            NOTHING,
            "Bind another connector, or disable the step with `null`.";
    }
    SignIn {
        NoCredential = "no-credential": "No usable credential",
            "flowbind tries the kinds of credentials in a fixed order and uses the first one that is configured. It \
             never falls back from a configured credential to another, because it would then act as another \
             identity.",
            NOTHING,
            "Configure the kind that you expect (see the causes below the message), choose one with `--auth`, or \
             try the file offline with `--sandbox FILE`.";
        TokenExpired = "token-expired": "The access token is expired",
            "The time in the token (`exp`) is over. A token in `FLOWBIND_ACCESS_TOKEN` cannot be renewed, so nothing is \
             sent to Graph.",
            NOTHING,
            "Get a new token. If a new token seems expired, check the clock of this machine.";
        SignInFailed = "sign-in-failed": "A token could not be renewed during the run",
            "The run started with a valid token. The token expired or was rejected, and the login service did not issue \
             another one. AADSTS700024 means that the login is over: `az login` with a federated token lasts as \
             long as that token, often 5 to 60 minutes, and `AZURE_FEDERATED_TOKEN_FILE` as long as its content.",
            "Before the plan: nothing. During an apply: see the report; nothing was sent after this error.",
            "If the login is over, sign in again just before flowbind, shorten the run with `--shard`, or use a \
             credential that flowbind renews, such as `github-oidc`. Otherwise resolve the cause. Then run `flowbind \
             plan` to see what remains.";
        TenantMismatch = "tenant-mismatch": "The access token is for another tenant",
            "Another tenant may have flows with the same ids. The run stops before the first request to Graph.",
            NOTHING,
            "Sign in to the tenant that the file names, or use the file of the token's tenant.";
        TenantUnverified = "tenant-unverified": "The tenant of the access token cannot be verified",
            "The token has no readable tenant claim, or the login service did not return the GUID of the tenant. `plan` \
             warns; `apply` stops, because it could change another tenant.",
            NOTHING,
            "Use a token of Microsoft Entra ID. If you are sure about the tenant, add `--tenant-unchecked`.";
    }
    Graph {
        PermissionMissing = "permission-missing": "The credential lacks a permission",
            "Graph answered 403, or `whoami --for` did not find the permission in the token. Reading needs `IdentityUserFlow.Read.All` and `APIConnectors.Read.All`; changing \
             bindings needs `IdentityUserFlow.ReadWrite.All`. A user also needs a directory role, such as External \
             ID User Flow Administrator.",
            "A request that is answered 403 changes nothing.",
            "Grant the permission that the hint names, with admin consent. `flowbind whoami` shows what the token \
             has. Microsoft documents the ReadWrite permissions only; try the Read permission first.";
        TokenRejected = "token-rejected": "Graph rejected the access token",
            "Graph answered 401, or `whoami --for` found that the token is for another API: it is expired, revoked, or for \
             another audience or cloud. If the credential can issue another token, that one was tried and rejected, too.",
            "A request that is answered 401 changes nothing.",
            "Get a new token. `flowbind whoami` shows the credential, its tenant and cloud, and its expiry.";
        TenantKindMismatch = "tenant-kind-mismatch": "The flows do not belong to this kind of tenant",
            "`B2C_1_…` flows exist in Azure AD B2C tenants, `B2X_1_…` flows in workforce tenants. The file lists \
             flows of the other kind.",
            NOTHING,
            "Name the tenant that has these flows, or list the flows of this tenant.";
        SelfServiceDisabled = "self-service-disabled": "Self-service sign-up is not enabled in the tenant",
            "A workforce tenant has user flows only if self-service sign-up is enabled.",
            NOTHING,
            "Enable it in the external collaboration settings of the tenant, or name another tenant.";
        GraphRejected = "graph-rejected": "Graph rejected a request",
            "The status and the message of the response are below the error. Statuses that may be temporary (408, 429, \
             500, 502, 503, 504, 509) were retried first.",
            "A rejected read changes nothing. For a rejected PUT see `change-failed`.",
            "Resolve what the message of Graph names. Quote the request id to Microsoft support.";
        GraphUnexpectedResponse = "graph-unexpected-response": "A response is not what Graph sends",
            "It is not JSON, lacks the requested data, is too large, or links to another host. A proxy or captive \
             portal may have answered in place of Graph.",
            "Before the plan: nothing. During an apply: see the report.",
            "Read the start of the response in the message. Check `HTTPS_PROXY` and `--graph-url`.";
        GraphRedirect = "graph-redirect": "Graph answered with a redirect",
            "Redirects are not followed, because the token is sent to the Graph host only. Graph itself does not \
             redirect these requests.",
            "A request that is answered with a redirect changes nothing.",
            "Check whether a proxy asks for a login, and check `--graph-url`.";
        GraphUnreachable = "graph-unreachable": "Graph or the login service cannot be reached",
            "No connection to the host could be made: the name does not resolve, the connection is refused, the \
             certificate is not trusted, or the host does not answer. It was retried for 20 s, or for \
             65 s if the host accepts connections and never responds. The run then stopped for this tenant.",
            "Before the plan: nothing. During an apply: see the report; a change whose PUT never reached the host is \
             `not attempted`.",
            "Check the network, `HTTPS_PROXY` and `NO_PROXY`. If a company proxy inspects TLS, pass its certificate \
             authority with `--ca-file`.";
        GraphNoResponse = "graph-no-response": "Graph did not answer a request",
            "The host answers other requests, but the connection of this one broke or stayed silent. It was sent \
             several times.",
            "A read changes nothing. A PUT without a response may have taken effect; the report shows it as \
             `unverified` if the read-back did not show it.",
            "Run again. If the same flow fails each time, quote the request ids to Microsoft support.";
        GraphThrottled = "graph-throttled": "Graph throttles the run beyond its time limit",
            "Graph answered 429 with a pause that is longer than the rest of `--timeout`, or `--rate` allows no \
             further request in the rest of the time.",
            "Before the plan: nothing. During an apply: see the report.",
            "Run again later, or with a larger `--timeout`. If other apps share the limit of the tenant, lower `--rate`.";
        Timeout = "timeout": "The time limit of the run is over",
            "The run took longer than `--timeout` (10 minutes by default), or one response did not arrive in time.",
            "Before the plan: nothing. During an apply: see the report; a change without a read-back is \
             `unverified`.",
            "Run again with a larger `--timeout`, such as `--timeout 30m`.";
        Interrupted = "interrupted": "The run was interrupted by a signal",
            "flowbind received SIGINT, SIGTERM, SIGHUP or SIGQUIT, or, on Windows, Ctrl+C, Ctrl+Break, the end of its console or a shutdown. It \
             starts no new change and waits for the changes in flight: 4 s at most, and not after a second signal. The \
             run ends within 10 s.",
            "Before the first PUT: nothing. Otherwise see the report; a change without a response is `unverified`.",
            "Run `flowbind plan` to see what remains.";
    }
    Guards {
        GuardMaxChanges = "guard-max-changes": "The plan has more changes than `maxChanges` allows",
            "The limit protects against a file or a tenant that is not the expected one.",
            NOTHING,
            "Check that the file is complete and the tenant is the right one. If all changes are intended, pass \
             the suggested `--max-changes` or raise `guards.maxChanges`.";
        GuardMaxDisables = "guard-max-disables": "The plan disables more bindings than `maxDisables` allows",
            "The limit (5 by default) protects against switching off checks in bulk, for example with a file that \
             was truncated.",
            NOTHING,
            "Check that the file is complete. If all disables are intended, pass the suggested `--max-disables` \
             or raise `guards.maxDisables`.";
        ProtectedBinding = "protected-binding": "The plan disables or replaces a protected binding",
            "The file marks the binding with `protect: true`. Only this flag, for this binding, allows the change.",
            NOTHING,
            "If the change is intended, pass the suggested `--allow-protected` for exactly this binding.";
        EmptyPrune = "empty-prune": "`prune: flows` in a file without flows would disable every binding",
            "The file lists no flow, so pruning disables all of them. Usually the list is empty by mistake.",
            NOTHING,
            "List the flows. If everything is to be disabled, pass the suggested `--allow-empty`.";
        PinMismatch = "pin-mismatch": "A connector does not call its pinned address",
            "The file pins the connector to a `targetUrl`, and the connector in the tenant calls another one. \
             The connector was changed, or the file is out of date. No flag lifts this blocker.",
            NOTHING,
            "Find out who changed the connector and why. Then update `targetUrl` in the file, or restore the \
             address in the tenant.";
    }
    Apply {
        PlanBlocked = "plan-blocked": "Guards block the plan",
            "At least one guard blocks the changes of this tenant. The blockers are listed with the plan.",
            "Nothing was changed in this tenant.",
            "Look up the id of each blocker with `flowbind explain ID`. If a flag lifts a blocker, its hint has the flag.";
        PlanIncomplete = "plan-incomplete": "The plan is incomplete",
            "A part of the tenant could not be read, or a name could not be resolved. An unreadable binding is never treated as unbound, so \
             nothing is applied.",
            "Nothing was changed in this tenant.",
            "Resolve the errors that are listed with the plan, then plan again.";
        FingerprintMismatch = "fingerprint-mismatch": "The plan is not the approved one",
            "The fingerprint of the plan differs from the value of `--expect`: the file or the tenant changed after \
             the approval, or the flags differ. With `--expect TENANT=FINGERPRINT`, a tenant without a fingerprint is \
             not changed.",
            "Nothing was changed in this tenant.",
            "Use the flags of the approved plan. If the plan still differs, review it and pass its fingerprint.";
        ApprovalRequired = "approval-required": "Approval is required and stdin is not a terminal",
            "`apply` asks before it changes a tenant. Without a terminal it cannot ask.",
            NOTHING,
            "Review the plan, then run again with `--expect FINGERPRINT`, or with `--yes`.";
        ApprovalDenied = "approval-denied": "The changes were not approved",
            "The answer to the prompt was not `yes`.",
            NOTHING,
            "Run the command again, and type `yes` in full to apply.";
        StalePlan = "stale-plan": "The tenant changed after the plan was made",
            "A saved plan, and a plan that waited for approval or for other tenants, is checked before the first PUT. A \
             binding or the address of a pinned connector is not what the plan was made from. A saved plan is also stale if \
             the hold of a change has ended since.",
            "Nothing was changed in this tenant.",
            "Find out who changed the tenant. Then run `flowbind plan` again and review the changes.";
        WrongTarget = "wrong-target": "The saved plan is for another tenant, cloud or app",
            "The Graph URL, the cloud, the tenant or the app of the plan differs from that of this run.",
            NOTHING,
            "Plan again for this tenant, or apply the plan with the settings that it was made with.";
        LabelMismatch = "label-mismatch": "A saved file has another label than the run",
            "`--label` names another label than the one with which the plan, the drift or the report was made. It \
             may be the file of another stage.",
            NOTHING,
            "Pass the file with this label. Without `--label`, the run has the label of the file.";
        SavedFileInvalid = "saved-file-invalid": "A file is not a saved plan or report",
            "The file is not JSON of the format that flowbind writes, or a value in it is invalid.",
            NOTHING,
            "Pass a file that `flowbind plan --out FILE.json` or `flowbind apply --out FILE.json` wrote.";
        SavedFileVersion = "saved-file-version": "A saved file has another format version",
            "Saved plans and reports name the version of their format. This flowbind reads version 2 only.",
            NOTHING,
            "For a plan, plan again. For a report, use the flowbind version that wrote it.";
        SavedFileModified = "saved-file-modified": "A saved plan was modified after it was written",
            "The content does not match the fingerprint in the file. It was edited, truncated or merged.",
            NOTHING,
            "Plan again with `flowbind plan FILE… --out FILE.json`, and review the plan.";
        SavedFileKind = "saved-file-kind": "A saved file is of the wrong kind",
            "`apply --plan` needs a plan and got a report, `show` got plans and reports together, or a saved file was \
             passed in place of a desired-state file.",
            NOTHING,
            "Pass a plan to `apply --plan`, files of one kind to `show`, and desired-state files to other commands.";
        UndoStale = "undo-stale": "A change cannot be taken back, because the binding was changed again",
            "`--undo` takes back what a report lists as applied or unverified. The tenant has neither the value that \
             the apply set nor the value from before, so the binding was changed again in the meantime.",
            NOTHING,
            "Find out who changed the binding. To take back the other changes, select them with `--only`.";
        UndoDeleted = "undo-deleted": "A change cannot be taken back, because the connector was deleted",
            "The binding had a connector before the apply that does not exist any more.",
            NOTHING,
            "Bind another connector with a file. To take back the other changes, select them with `--only`.";
        UndoFileDiffers = "undo-file-differs": "The file may still have the value that is taken back",
            "`--undo` changes the tenant, and does not read the file. If the file still has the value, its next `apply`, \
             for example on the next merge, sets it again.",
            "The changes of the plan, if they were applied.",
            "Change the binding in the file too, or put a `hold` on it.";
        OnlyUnmatched = "only-unmatched": "`--only` selects no binding",
            "No file of the run lists a binding with this flow and step. With `--undo`, the report has no such change \
             to take back.",
            NOTHING,
            "Correct the flow or the step, or add the binding to a file.";
        EditRejected = "edit-rejected": "A file cannot take a value of the tenant",
            "`accept` edits files without changing anything else. This edit would change other values too, or the \
             file cannot name the connector. The other edits are not affected.",
            NOTHING,
            "Edit the file by hand, and check it with `flowbind drift`.";
        EarlierDriftMissing = "earlier-drift-missing": "The drift of an earlier run does not exist",
            "`drift --since FILE.json` compares with the output of an earlier run. There is no such file, so every \
             difference is new. This is normal for the first run of a job.",
            NOTHING,
            "Write the file in each run with `--out FILE.json`, and keep it until the next run.";
        CannotJoin = "cannot-join": "Saved files cannot be joined",
            "`show` joins the shards of one run, or plans of different tenants. These files belong to different \
             runs, or two of them manage the same binding.",
            NOTHING,
            "Pass all shards of one run, each once, and nothing else.";
        MissingShard = "missing-shard": "A shard of the run is missing",
            "The run was split with `--shard K/N`, and `show` did not get all N results.",
            "An `apply` of the missing shard may have changed its tenants; see its own report.",
            "Find the output of the missing shard, or run it again.";
        ShardConflict = "shard-conflict": "A saved plan covers only one shard",
            "It was made with `--shard` and cannot be split again.",
            NOTHING,
            "Leave `--shard` out, or join the shards first: `flowbind show SHARD.json… --out plan.json`.";
        ChangeFailed = "change-failed": "A change was rejected",
            "Graph answered the PUT with an error each time it was sent.",
            "This binding was not changed. See the report for the others.",
            "Resolve the cause that is printed with the change, then plan and apply again.";
        ChangeUnverified = "change-unverified": "It is not known whether a change took effect",
            "The PUT was accepted or got no response, and reading back did not show the new value in time.",
            "This binding may have been changed. See the report for the others.",
            "Run `flowbind plan` in a few minutes. If the change is still listed, apply again; a second PUT of the \
             same value is harmless.";
        ChangeNotAttempted = "change-not-attempted": "A change was not sent",
            "The run ended before this PUT: it was interrupted, out of time, or stopped by `--fail-fast`.",
            "This binding was not changed. See the report for the others.",
            "Run `flowbind plan` to see what remains, then apply again.";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_kebab_case() {
        let ids: BTreeSet<_> = Code::VARIANTS.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), Code::VARIANTS.len());
        for id in ids {
            assert!(id.split('-').all(|word| !word.is_empty()), "{id}");
            assert!(id.chars().all(|char| char.is_ascii_lowercase() || "-8".contains(char)), "{id}");
            assert_eq!(id.parse::<Code>().map(Code::id), Ok(id));
        }
    }

    #[test]
    fn explanation_has_all_four_parts() {
        for code in Code::VARIANTS {
            let Explanation { title, meaning, changed, action } = code.explanation();
            assert!(!title.is_empty() && !title.ends_with('.'), "{code}: {title}");
            for part in [meaning, changed, action] {
                assert!(part.ends_with('.') && !part.contains("  "), "{code}: {part}");
            }
        }
    }
}
