//! Items that are collected, in a file of the run's folder, or go nowhere.

use std::sync::Arc;

use super::super::lines::LineFile;
use super::{Failure, Item, Opening, Sink, Trouble};
use crate::exec::mask::Mask;

/// They become the output of the step.
pub(super) struct Collect {
    file: LineFile,
    /// Takes secrets out, if there are any.
    mask: Option<Arc<Mask>>,
}

impl Collect {
    pub fn open(at: &Opening) -> Result<Self, Failure> {
        at.job.site.prepare()?;
        let path = at.job.site.folder.join(at.collected());
        Ok(Collect { file: LineFile::open(&path, at.reached.written)?, mask: at.mask() })
    }
}

impl Sink for Collect {
    fn put(&mut self, item: &Item) -> Result<(), Trouble> {
        let mask = self.mask.as_deref();
        let write = |line: &mut Vec<u8>| match mask {
            None => item.write_json(line),
            Some(mask) => {
                let mut value = item.to_json()?;
                mask.json(&mut value);
                line.extend_from_slice(value.to_string().as_bytes());
                Ok(())
            }
        };
        self.file.add(write).map_err(Trouble::Item)?;
        Ok(self.file.spill()?)
    }

    fn flush(&mut self, sync: bool) -> Result<u64, Failure> {
        self.file.flush(sync)
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
