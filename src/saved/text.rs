//! Values that are texts in the saved formats.

#[cfg(test)]
use std::borrow::Cow;

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::diagnostic::Code;
use crate::model::{ConnectorId, FlowId, Label, Only, TargetUrl, Tenant};
use crate::plan::Override;

/// Deserializes values from texts, each with the key that an error names. The schema is that of any text.
macro_rules! deserialize_text {
    ($($value:ident $key:literal $parse:expr;)+) => { $(
        impl<'de> Deserialize<'de> for $value {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let parse = $parse;
                parse(&text).map_err(|error| D::Error::custom(format!("`{}`: `{text}`: {error}", $key)))
            }
        }

        #[cfg(test)]
        impl JsonSchema for $value {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                String::schema_name()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                String::json_schema(generator)
            }
        }
    )+ };
}

deserialize_text! {
    Code "id" str::parse::<Code>;
    ConnectorId "id" ConnectorId::parse;
    FlowId "flow" FlowId::parse;
    Label "label" str::parse::<Label>;
    Only "only" str::parse::<Only>;
    Override "overrides" str::parse::<Override>;
    TargetUrl "pin" str::parse::<TargetUrl>;
    Tenant "tenant" str::parse::<Tenant>;
}

/// Serializes values to the texts that they are displayed as.
macro_rules! serialize_text {
    ($($value:ident)+) => { $(
        impl Serialize for $value {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+ };
}

serialize_text! { Code ConnectorId FlowId Label Only Override TargetUrl }
