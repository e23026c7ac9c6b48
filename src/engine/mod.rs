//! The engine: when what runs.
//!
//! [`machine`] decides, without I/O; [`drive`] does what it decided. Nothing here knows Rhai, SQL, terminals or HTTP.

pub mod bus;
pub mod drive;
pub mod ledger;
pub mod limits;
pub mod machine;
pub mod numbering;
pub mod order;
pub mod waiting;
pub mod ways;
mod work;
pub mod writers;
