//! Items that are collected, in a file of the run's folder, or go nowhere.

use super::super::lines::LineFile;
use super::{Failure, Item, Opening, Sink, Trouble};

/// They become the output of the step.
pub(super) struct Collect(LineFile);

impl Collect {
    pub fn open(at: &Opening) -> Result<Self, Failure> {
        at.job.site.prepare()?;
        let path = at.job.site.folder.join(at.collected());
        Ok(Collect(LineFile::open(&path, at.reached.written)?))
    }
}

impl Sink for Collect {
    fn put(&mut self, item: &Item) -> Result<(), Trouble> {
        self.0.add(|line| item.write_json(line)).map_err(Trouble::Item)?;
        Ok(self.0.spill()?)
    }

    fn flush(&mut self, sync: bool) -> Result<u64, Failure> {
        self.0.flush(sync)
    }

    fn cuts(&self) -> bool {
        true
    }
}

/// They go nowhere.
pub(super) struct Discard;

impl Sink for Discard {
    fn put(&mut self, _: &Item) -> Result<(), Trouble> {
        Ok(())
    }

    fn flush(&mut self, _: bool) -> Result<u64, Failure> {
        Ok(0)
    }
}
