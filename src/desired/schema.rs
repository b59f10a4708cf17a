//! The keys of a desired-state file: their types and their documentation.
//!
//! `schemas/desired.schema.json` is made from these types. `read` makes them of a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

use super::decoder::Spanned;
use crate::diagnostic::Span;
use crate::model::{Api, Cloud, ConnectorId, FlowId, Guards, Prune, Step, StepMap, TargetUrl, Tenant};

/// The API connectors that the user flows of one tenant call; or, without `tenant`, a base that
/// other files extend.
#[derive(Clone, JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    title = "flowbind desired state",
    // A file that extends others has its flows from them, and a base may have none.
    extend("anyOf" = [{"required": ["flows"]}, {"required": ["extends"]}, {"not": {"required": ["tenant"]}}])
)]
pub(super) struct File {
    /// Where it begins.
    #[schemars(skip)]
    pub(super) span: Span,
    /// Keys that are given and not as they should be: what follows from them is not known.
    #[schemars(skip)]
    pub(super) invalid_keys: BTreeSet<&'static str>,
    /// The version of this format.
    #[schemars(with = "u8", extend("const" = 1), example = 1)]
    pub(super) version: Option<Spanned<Version>>,
    /// Files that this one builds on, by their paths relative to it: later ones over earlier, this one
    /// over all. Everything but `tenant` and `clientId` is taken: `connectors`, `flows`, their steps
    /// and `guards` are merged key by key and field by field, all else is replaced.
    #[schemars(
        with = "Option<Vec<String>>",
        extend("type" = ["string", "array"], "minLength" = 1, "items" = {"type": "string", "minLength": 1}, "minItems" = 1, "uniqueItems" = true),
        example = &"base.yaml",
        example = &["base.yaml", "../europe.yaml"]
    )]
    pub(super) extends: Vec<Spanned<String>>,
    /// The tenant, as a domain or a GUID. A file without it is a base.
    #[schemars(
        with = "Option<String>",
        extend("type" = "string", "pattern" = TENANT_PATTERN, "maxLength" = 253),
        example = &"contoso.onmicrosoft.com",
        example = &"8b7e1c52-6f0a-4d59-9a35-2f1f6f0e7a11"
    )]
    pub(super) tenant: Option<Spanned<Tenant>>,
    /// The application (client) id of the app that signs in to this tenant. It is not a secret.
    #[schemars(
        with = "Option<String>",
        extend("type" = "string", "pattern" = GUID_PATTERN),
        example = &"6f9c2c8e-5f0f-4a43-8b0b-0b6e4f3f9d10"
    )]
    pub(super) client_id: Option<Spanned<String>>,
    /// The national cloud that the tenant lives in.
    #[schemars(
        with = "Option<String>",
        extend("type" = "string", "enum" = Cloud::ALL.map(Cloud::name), "default" = Cloud::default().name()),
        example = &"usgov"
    )]
    pub(super) cloud: Option<Spanned<Cloud>>,
    /// The version of Microsoft Graph to ask. B2C user flows exist in `beta` only.
    #[schemars(
        with = "Option<String>",
        extend("type" = "string", "enum" = Api::ALL.map(Api::name), "default" = Api::default().name()),
        example = &"beta"
    )]
    pub(super) api: Option<Spanned<Api>>,
    /// The steps that this file speaks of; all others are neither read nor changed.
    /// `preTokenIssuance` is not in Graph's documentation and is opted in to here.
    #[schemars(
        with = "Option<Vec<String>>",
        extend(
            "type" = "array",
            "items" = {"enum": Step::ALL.map(Step::name)},
            "minItems" = 1,
            "uniqueItems" = true,
            "default" = Step::DEFAULT.map(Step::name)
        ),
        example = Step::ALL.map(Step::name)
    )]
    pub(super) steps: Option<Spanned<Vec<Spanned<Step>>>>,
    /// Short names for the connectors that this file binds. With this key, a binding names one of
    /// them or an id; without it, a binding names a connector's displayName or id.
    #[schemars(
        with = "Option<BTreeMap<String, ConnectorEntry>>",
        extend("type" = "object", "propertyNames" = {"minLength": 1, "not": {"pattern": GUID_PATTERN}}),
        example = json!({"fraud-check": {"displayName": "Fraud check"}, "enrich": "Claims enricher"})
    )]
    pub(super) connectors: Option<BTreeMap<String, ConnectorEntry>>,
    /// The user flows, and what each of their steps calls. A step that is left out is not managed.
    #[schemars(
        with = "Option<BTreeMap<String, Flow>>",
        extend("type" = "object", "propertyNames" = {"pattern": FLOW_ID_PATTERN}),
        example = json!({"B2C_1_signup": {"postFederationSignup": "fraud-check", "postAttributeCollection": null}})
    )]
    pub(super) flows: Option<Vec<Flow>>,
    /// What happens to bindings that this file does not mention: `none` leaves them alone, `steps`
    /// disables the steps of listed flows, `flows` those of all other flows too.
    #[schemars(
        with = "Option<String>",
        extend("type" = "string", "enum" = Prune::ALL.map(Prune::name), "default" = Prune::default().name()),
        example = &"steps"
    )]
    pub(super) prune: Option<Spanned<Prune>>,
    /// How much a plan may change before it is refused.
    #[schemars(with = "Option<GuardsEntry>", extend("type" = "object"), example = json!({"maxChanges": 25, "maxDisables": 5}))]
    pub(super) guards: GuardsEntry,
}

/// How much a plan may change before it is refused. What is not given has its default.
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
            "description": "How much a plan may change before it is refused.",
            "type": "object",
            "properties": {
                "maxChanges": {
                    "description": "The most changes of a plan. Without it there is no limit.",
                    "type": "integer",
                    "minimum": 0,
                    "maximum": u32::MAX,
                    "examples": [25],
                },
                "maxDisables": {
                    "description": "The most disables of a plan.",
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

/// A domain of two or more labels, or a GUID.
const TENANT_PATTERN: &str = concat!(
    r"^([0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?(\.[0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?)+",
    r"|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$"
);
const GUID_PATTERN: &str = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";

/// White space and control characters are written out: what `\s` takes differs from ours by a character.
const FLOW_ID_PATTERN: &str =
    r"^B2[CX]_1_[^\u0000-\u0020\u007F-\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000/\\?#%']+$";

/// The one version that there is.
#[derive(Clone)]
pub(super) struct Version;

/// How a connector is found in the tenant.
#[derive(Clone)]
pub(super) struct ConnectorEntry {
    /// Where the short name is.
    pub(super) key: Span,
    pub(super) display_name: Option<Spanned<String>>,
    pub(super) id: Option<Spanned<ConnectorId>>,
    pub(super) target_url: Option<Spanned<Arc<TargetUrl>>>,
    /// Whether what it names is given and not as it should be.
    pub(super) is_invalid: bool,
}

/// What the steps of one flow call.
#[derive(Clone)]
pub(super) struct Flow {
    pub(super) id: Spanned<FlowId>,
    pub(super) bindings: StepMap<Binding>,
}

/// What one step of one flow calls, as far as one file says it.
#[derive(Clone)]
pub(super) struct Binding {
    /// Where the step is named.
    pub(super) step: Span,
    /// A connector's short name, displayName or id; or nothing, where nothing may be bound.
    pub(super) connector: Option<Spanned<Option<String>>>,
    /// Whether a plan that disables or replaces it is refused.
    pub(super) protect: Option<Spanned<bool>>,
    /// Whether what it names is given and not as it should be.
    pub(super) is_invalid: bool,
}

impl File {
    /// The steps that it speaks of, in the order of [`Step::ALL`].
    pub(super) fn step_list(&self) -> Vec<Step> {
        let Some(Spanned { value: steps, span: _ }) = &self.steps else { return Step::DEFAULT.to_vec() };
        let mut steps: Vec<_> = steps.iter().map(|step| step.value).collect();
        steps.sort_unstable();
        steps
    }
}

impl Binding {
    /// Where its value stands; its step, where it has none.
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
            "description": "The connector's displayName, exactly as the tenant has it.",
            "type": "string",
            "minLength": 1,
            "examples": ["Fraud check"],
        });
        json_schema!({
            "description": "How a connector is found in the tenant: by its displayName, its id, or both, which must then fit the same connector.",
            "anyOf": [
                display_name,
                {
                    "type": "object",
                    "properties": {
                        "displayName": display_name,
                        "id": {
                            "description": "The connector's id.",
                            "type": "string",
                            "pattern": GUID_PATTERN,
                            "examples": ["1f1d2c3b-0000-4000-8000-00000000abcd"],
                        },
                        "targetUrl": {
                            "description": "A pin: the address that the connector has to call, without its query. A plan that would bind a connector with another address is refused.",
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
        let properties: BTreeMap<_, _> = Step::ALL
            .into_iter()
            .map(|step| {
                let schema = json!({
                    "description": meaning(step),
                    "anyOf": [binding],
                    "examples": ["fraud-check", {"connector": "fraud-check"}, null],
                });
                (step.name(), schema)
            })
            .collect();
        json_schema!({
            "description": "What the steps of one user flow call.",
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
            "description": "A connector's short name, displayName or id, or `null` where nothing may be bound.",
            "type": ["string", "null"],
            "minLength": 1,
            "examples": ["fraud-check", null],
        });
        json_schema!({
            "description": "What one step of one user flow calls.",
            "anyOf": [
                connector,
                {
                    "type": "object",
                    "properties": {
                        "connector": connector,
                        "protect": {
                            "description": "Whether a plan that disables or replaces this binding is refused.",
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

/// What a step is, for people who fill in a file. Source:
/// <https://learn.microsoft.com/azure/active-directory-b2c/api-connectors-overview>
fn meaning(step: Step) -> &'static str {
    match step {
        Step::PostFederationSignup => {
            "After federation with an identity provider during sign-up. Not called for local accounts."
        }
        Step::PostAttributeCollection => {
            "After the person has given their attributes, before the account is created."
        }
        Step::PreTokenIssuance => {
            "Before a token is issued. Not in Graph's documentation: list it in `steps` to use it."
        }
    }
}

/// The JSON Schema of a desired-state file.
pub(super) fn json_schema() -> Schema {
    schemars::schema_for!(File)
}
