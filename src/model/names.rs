//! Names of the values of enums.

use strum::VariantArray;

/// Returns the names of all values of an enum, in order.
pub fn names<T: VariantArray + Copy + Into<&'static str>>() -> Vec<&'static str> {
    T::VARIANTS.iter().map(|value| (*value).into()).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::Serialize;

    use super::super::action::Action;
    use super::super::step::Step;
    use super::super::tenant::{Api, Cloud};
    use super::*;

    #[test]
    fn enum_names_equal_those_of_serde() {
        fn check<T: VariantArray + Copy + Debug + Serialize + Into<&'static str>>() {
            for value in T::VARIANTS {
                assert_eq!(serde_json::to_value(value).unwrap(), Into::<&str>::into(*value), "{value:?}");
            }
        }
        check::<Step>();
        check::<Cloud>();
        check::<Api>();
        check::<Action>();
    }
}
