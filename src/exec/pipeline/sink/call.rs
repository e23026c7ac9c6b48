//! A closure is called with each item.

use std::sync::Arc;

use super::{Failure, Item, Opening, Sink, Stop, Trouble};
use crate::lang::item::Mapper;
use crate::plan::Closure;

/// See the module's page.
pub(super) struct Call<'a>(Box<dyn Mapper + 'a>);

impl<'a> Call<'a> {
    pub fn open(closure: &'a Closure, at: &Opening<'a>, stop: &Arc<Stop>) -> Result<Self, Failure> {
        at.mapper(closure, stop).map(Call)
    }
}

impl Sink for Call<'_> {
    fn put(&mut self, item: &Item) -> Result<(), Trouble> {
        self.0.call(item.clone()).map(|_| ()).map_err(Trouble::Item)
    }

    fn flush(&mut self, _: bool) -> Result<u64, Failure> {
        Ok(0)
    }
}
