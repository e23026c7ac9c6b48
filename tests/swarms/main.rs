//! Swarms and pools through the program. Their agents are small shell scripts, which note what they were asked.

mod bench;
mod faults;
mod plans;
mod topologies;
