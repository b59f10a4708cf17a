//! Values that have the form of a struct of the saved formats.

/// Gives a value the serialized form and the schema of its part, a struct of the format. The two are converted
/// by `From` and `TryFrom`; with a list of all fields, these are implemented as well.
macro_rules! saved_as {
    ($value:ident, $part:ident) => {
        impl serde::Serialize for $value {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&$part::from(Clone::clone(self)), serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $value {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let part = <$part as serde::Deserialize>::deserialize(deserializer)?;
                Self::try_from(part).map_err(serde::de::Error::custom)
            }
        }

        #[cfg(test)]
        impl schemars::JsonSchema for $value {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $part::schema_name()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                $part::schema_id()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $part::json_schema(generator)
            }
        }
    };
    ($value:ident, $part:ident { $($field:ident),+ }) => {
        impl From<$value> for $part {
            fn from(value: $value) -> Self {
                let $value { $($field),+ } = value;
                Self { $($field),+ }
            }
        }

        impl From<$part> for $value {
            fn from(part: $part) -> Self {
                let $part { $($field),+ } = part;
                Self { $($field),+ }
            }
        }

        $crate::saved::saved_as::saved_as!($value, $part);
    };
}

pub(super) use saved_as;
