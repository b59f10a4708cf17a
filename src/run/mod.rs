//! Runs over many tenants: signs in, checks the tenant, reads, plans, applies, and joins shards.
//!
//! `session` is what all tenants of a run share, `connect` connects to one of them, `sandboxes` to an emulated one,
//! and `tenant_check` compares the tenant of the token. `plan` plans files, `saved` loads saved plans, and
//! `apply` applies either. `inventory` reads whole tenants, `identity` describes credentials, `expiry` their tokens, and `join` joins
//! saved results. A run returns values and events; it prints nothing, and knows no arguments, no environment and
//! no exit codes.

mod accept;
mod apply;
mod apply_request;
mod blocked;
mod compare;
mod connect;
mod error;
mod expiry;
mod identity;
mod in_order;
mod inventory;
mod join;
mod only;
mod plan;
mod progress;
mod sandboxes;
mod saved;
mod saved_plan;
mod session;
mod tenant_check;
mod tenant_ref;

pub use accept::{AcceptRequest, AcceptedFile, AcceptedRun, accept_drift};
pub use apply::{Answer, Applied, Host, apply};
pub use apply_request::{ApplyRequest, ApplySource};
pub use compare::compare_files;
pub use error::{CommandError, ErrorKind};
pub use identity::{Identity, Subject};
pub use inventory::{ExportFormat, ExportRequest, Exported, export};
pub use join::join_saved;
pub use plan::{DesiredSource, Event, PlanRequest, create_error_plan, plan_files};
pub use progress::Progress;
pub use sandboxes::{Sandboxes, SnapshotFile};
pub use saved::{Reader, read_earlier_drift, read_saved};
pub use session::{Options, Run};
