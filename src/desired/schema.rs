//! Keys of a desired-state file, with their types and documentation.
//!
//! `schemas/desired.schema.json` is generated from these types, and `keys` decodes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;
use strum::VariantArray as _;

use super::decoder::Spanned;
use crate::diagnostic::Span;
use crate::model::{
    Api, Cloud, ConnectorId, FlowId, FlowKey, Guards, Prune, Step, StepMap, TargetUrl, Tenant, names,
};

/// API connectors that the user flows of one tenant call. A file without `tenant` is a base that other files
/// extend.
#[derive(Clone, JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    title = "flowbind desired state",
    // A file can get its flows from a base, and a base can be without flows.
    extend("anyOf" = [{"required": ["flows"]}, {"required": ["extends"]}, {"not": {"required": ["tenant"]}}])
)]
pub(super) struct File {
    /// Start of the file.
    #[schemars(skip)]
    pub(super) span: Span,
    /// Keys whose values are invalid. Rules that need them are not checked.
    #[schemars(skip)]
    pub(super) invalid_keys: BTreeSet<&'static str>,
    /// Version of this file format.
    #[schemars(with = "u8", extend("const" = 1), example = 1)]
    pub(super) version: Option<Spanned<Version>>,
    /// Base files, by their paths relative to this file. Later bases override earlier ones, and this file
    /// overrides all. `connectors`, `flows`, their steps and `guards` are merged key by key; any other value
    /// is replaced. `tenant` and `clientId` are not inherited.
    #[schemars(
        with = "Option<Vec<String>>",
        extend("type" = ["string", "array"], "minLength" = 1, "items" = {"type": "string", "minLength": 1}, "minItems" = 1, "uniqueItems" = true),
        example = &"base.yaml",
        example = &["base.yaml", "../europe.yaml"]
    )]
    pub(super) extends: Vec<Spanned<String>>,
    /// Domain or GUID of the tenant. A file without this key is a base.
    #[schemars(
        with = "Option<String>",
        extend("type" = "string", "pattern" = TENANT_PATTERN, "maxLength" = 253),
        example = &"contoso.onmicrosoft.com",
        example = &"8b7e1c52-6f0a-4d59-9a35-2f1f6f0e7a11"
    )]
    pub(super) tenant: Option<Spanned<Tenant>>,
    /// Application (client) id of the app that signs in to this tenant. The id is not a secret.
    #[schemars(
        with = "Option<String>",
        extend("type" = "string", "pattern" = GUID_PATTERN),
        example = &"6f9c2c8e-5f0f-4a43-8b0b-0b6e4f3f9d10"
    )]
    pub(super) client_id: Option<Spanned<String>>,
    /// National cloud of the tenant.
    #[schemars(
        with = "Option<String>",
        extend("type" = "string", "enum" = names::<Cloud>(), "default" = Cloud::default().name()),
        example = &"usgov"
    )]
    pub(super) cloud: Option<Spanned<Cloud>>,
    /// Version of Microsoft Graph. B2C user flows exist in `beta` only.
    #[schemars(
        with = "Option<String>",
        extend("type" = "string", "enum" = names::<Api>(), "default" = Api::default().name()),
        example = &"beta"
    )]
    pub(super) api: Option<Spanned<Api>>,
    /// Steps that this file manages. Other steps are neither read nor changed. `preTokenIssuance` is not in
    /// Graph's documentation; to manage it, list it here.
    #[schemars(
        with = "Option<Vec<String>>",
        extend(
            "type" = "array",
            "items" = {"enum": names::<Step>()},
            "minItems" = 1,
            "uniqueItems" = true,
            "default" = Step::DEFAULT.map(Step::name)
        ),
        example = names::<Step>()
    )]
    pub(super) steps: Option<Spanned<Vec<Spanned<Step>>>>,
    /// Short names of connectors. With this key, a binding uses a short name or an id; without it, a binding
    /// uses a displayName or an id.
    #[schemars(
        with = "Option<BTreeMap<String, ConnectorEntry>>",
        extend("type" = "object", "propertyNames" = {"minLength": 1, "not": {"pattern": GUID_PATTERN}}),
        example = json!({"fraud-check": {"displayName": "Fraud check"}, "enrich": "Claims enricher"})
    )]
    pub(super) connectors: Option<BTreeMap<String, ConnectorEntry>>,
    /// User flows with the connectors that their steps call. Steps that are not listed are not managed.
    #[schemars(
        with = "Option<BTreeMap<String, Flow>>",
        extend("type" = "object", "propertyNames" = {"pattern": FLOW_ID_PATTERN}),
        example = json!({"B2C_1_signup": {"postFederationSignup": "fraud-check", "postAttributeCollection": null}})
    )]
    pub(super) flows: Option<Vec<Flow>>,
    /// Which unlisted bindings are disabled: `none`; `steps` disables the other steps of listed flows;
    /// `flows` also disables the steps of all other flows.
    #[schemars(
        with = "Option<String>",
        extend("type" = "string", "enum" = names::<Prune>(), "default" = Prune::default().name()),
        example = &"steps"
    )]
    pub(super) prune: Option<Spanned<Prune>>,
    /// Limits above which a plan is blocked.
    #[schemars(with = "Option<GuardsEntry>", extend("type" = "object"), example = json!({"maxChanges": 25, "maxDisables": 5}))]
    pub(super) guards: GuardsEntry,
}

/// Limits above which a plan is blocked.
#[derive(Clone, Default)]
pub(super) struct GuardsEntry {
    pub(super) max_changes: Option<Spanned<u32>>,
    pub(super) max_disables: Option<Spanned<u32>>,
}

impl JsonSchema for GuardsEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Guards".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Limits above which a plan is blocked.",
            "type": "object",
            "properties": {
                "maxChanges": {
                    "description": "Maximum number of changes in a plan. Without this key there is no limit.",
                    "type": "integer",
                    "minimum": 0,
                    "maximum": u32::MAX,
                    "examples": [25],
                },
                "maxDisables": {
                    "description": "Maximum number of bindings that a plan disables.",
                    "type": "integer",
                    "minimum": 0,
                    "maximum": u32::MAX,
                    "default": Guards::default().max_disables,
                    "examples": [5],
                },
            },
            "additionalProperties": false,
        })
    }
}

/// Domain of two or more labels, or GUID.
const TENANT_PATTERN: &str = concat!(
    r"^([0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?(\.[0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?)+",
    r"|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$"
);
const GUID_PATTERN: &str = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";

/// White space and control characters are listed one by one, because `\s` differs from the characters that
/// `FlowId` rejects.
const FLOW_ID_PATTERN: &str =
    r"^B2[CX]_1_[^\u0000-\u0020\u007F-\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000/\\?#%']+$";

/// Version 1, the only one.
#[derive(Clone)]
pub(super) struct Version;

/// Entry under `connectors`: how a connector is found in the tenant.
#[derive(Clone)]
pub(super) struct ConnectorEntry {
    /// Location of the short name.
    pub(super) key: Span,
    pub(super) display_name: Option<Spanned<String>>,
    pub(super) id: Option<Spanned<ConnectorId>>,
    pub(super) target_url: Option<Spanned<Arc<TargetUrl>>>,
    /// Whether a value is invalid, so that the entry must not be reported as incomplete.
    pub(super) is_invalid: bool,
}

/// Flow with the bindings of its steps.
#[derive(Clone)]
pub(super) struct Flow {
    pub(super) id: Spanned<FlowId>,
    pub(super) bindings: StepMap<Binding>,
}

/// Binding of one step, as one file or a composed file gives it.
#[derive(Clone)]
pub(super) struct Binding {
    /// Location of the step.
    pub(super) step: Span,
    /// Short name, displayName or id of the connector; `None` in the value disables the binding.
    pub(super) connector: Option<Spanned<Option<String>>>,
    /// Whether a plan that disables or replaces the binding is blocked.
    pub(super) protect: Option<Spanned<bool>>,
    /// Whether a value is invalid, so that the entry must not be reported as incomplete.
    pub(super) is_invalid: bool,
}

impl File {
    /// Returns the managed steps in the order of [`Step::VARIANTS`]; [`Step::DEFAULT`] if the file has no `steps`.
    pub(super) fn step_list(&self) -> Vec<Step> {
        let Some(Spanned { value: steps, span: _ }) = &self.steps else { return Step::DEFAULT.to_vec() };
        let mut steps: Vec<_> = steps.iter().map(|step| step.value).collect();
        steps.sort_unstable();
        steps
    }
}

impl Flow {
    /// Returns the id as a key that ignores case: two ids that differ only in case may be one flow.
    pub(super) fn key(&self) -> FlowKey<'_> {
        (&self.id.value).into()
    }
}

impl Binding {
    /// Returns the location of the value, or of the step if the value is missing.
    pub(super) fn value_span(&self) -> &Span {
        self.connector.as_ref().map_or(&self.step, |connector| &connector.span)
    }
}

impl JsonSchema for ConnectorEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Connector".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let display_name = json!({
            "description": "displayName of the connector, exactly as in the tenant. Case-sensitive.",
            "type": "string",
            "minLength": 1,
            "examples": ["Fraud check"],
        });
        json_schema!({
            "description": "Connector, by its displayName, its id, or both. If both are given, they must belong to the same connector.",
            "anyOf": [
                display_name,
                {
                    "type": "object",
                    "properties": {
                        "displayName": display_name,
                        "id": {
                            "description": "Id of the connector.",
                            "type": "string",
                            "pattern": GUID_PATTERN,
                            "examples": ["1f1d2c3b-0000-4000-8000-00000000abcd"],
                        },
                        "targetUrl": {
                            "description": "Pin: address that the connector must call, without its query. A plan that would bind a connector with another address is blocked.",
                            "type": "string",
                            "format": "uri",
                            "examples": ["https://fraud.contoso.com/score"],
                        },
                    },
                    "additionalProperties": false,
                    "minProperties": 1,
                },
            ],
        })
    }
}

impl JsonSchema for Flow {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Flow".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let binding = generator.subschema_for::<Binding>();
        let properties: BTreeMap<_, _> = Step::VARIANTS
            .iter()
            .copied()
            .map(|step| {
                let schema = json!({
                    "description": step_description(step),
                    "anyOf": [binding],
                    "examples": ["fraud-check", {"connector": "fraud-check"}, null],
                });
                (step.name(), schema)
            })
            .collect();
        json_schema!({
            "description": "Connectors that the steps of one user flow call.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

impl JsonSchema for Binding {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Binding".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let connector = json!({
            "description": "Short name, displayName or id of a connector, or `null` to disable the binding.",
            "type": ["string", "null"],
            "minLength": 1,
            "examples": ["fraud-check", null],
        });
        json_schema!({
            "description": "Connector that one step of a user flow calls.",
            "anyOf": [
                connector,
                {
                    "type": "object",
                    "properties": {
                        "connector": connector,
                        "protect": {
                            "description": "Whether a plan that disables or replaces this binding is blocked. `--allow-protected` overrides it.",
                            "type": "boolean",
                            "default": false,
                            "examples": [true],
                        },
                    },
                    "additionalProperties": false,
                    "minProperties": 1,
                },
            ],
        })
    }
}

/// Returns the description of a step for users. Source:
/// <https://learn.microsoft.com/azure/active-directory-b2c/api-connectors-overview>
fn step_description(step: Step) -> &'static str {
    match step {
        Step::PostFederationSignup => {
            "After federation with an identity provider during sign-up. Not called for local accounts."
        }
        Step::PostAttributeCollection => {
            "After the user has entered their attributes, before the account is created."
        }
        Step::PreTokenIssuance => {
            "Before a token is issued. Not in Graph's documentation; list it in `steps` to manage it."
        }
    }
}

/// Returns the JSON Schema of a desired-state file.
pub(super) fn json_schema() -> Schema {
    schemars::schema_for!(File)
}
