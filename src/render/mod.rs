//! Renders plans, reports and problems for people and pipelines. One file for each format.

mod comparison;
mod diagnostic;
mod diff;
mod document;
mod drift;
pub mod escape;
mod export;
mod format;
mod github;
mod hold;
mod html;
mod junit;
mod listing;
mod markdown;
mod names;
mod order;
mod prom;
mod prose;
mod report;
pub mod short_name;
mod text;
mod wording;

pub use comparison::text as comparison_text;
pub use diagnostic::{diagnostic, prefixed_diagnostic};
pub use diff::file_diff;
pub use document::Document;
pub use drift::text as drift_text;
pub use export::{export, export_start, is_same_export};
pub use format::Format;
pub use listing::listing;
pub use report::{
    end as report_end, report as report_text, stale as stale_text, target as target_report_text,
};
pub use text::{plan as plan_text, problem as problem_text, target as target_text};
pub use wording::{approval_question, pluralize};
