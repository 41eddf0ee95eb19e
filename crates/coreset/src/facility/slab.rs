//! A large block of memory.

use memmap2::MmapMut;

use crate::error::CoresetError;

/// Zeroed values in pages as large as the system gives.
pub(crate) struct Slab {
    pages: MmapMut,
}

impl Slab {
    /// Memory for `count` values of `T`.
    ///
    /// # Errors
    /// The system refuses the memory.
    pub(crate) fn new<T: bytemuck::Pod>(count: usize) -> Result<Self, CoresetError> {
        let refused = |source| CoresetError::Io {
            path: "memory".into(),
            verb: "reserve distances in",
            source,
        };
        let pages = MmapMut::map_anon((count * size_of::<T>()).max(1)).map_err(refused)?;
        // Small pages are slower and as right.
        #[cfg(target_os = "linux")]
        let _ = pages.advise(memmap2::Advice::HugePage);
        Ok(Self { pages })
    }

    /// The values.
    pub(crate) fn values<T: bytemuck::Pod>(&self) -> &[T] {
        bytemuck::cast_slice(self.whole::<T>(&self.pages))
    }

    /// The values, to be written.
    pub(crate) fn values_mut<T: bytemuck::Pod>(&mut self) -> &mut [T] {
        let whole = self.pages.len() / size_of::<T>() * size_of::<T>();
        bytemuck::cast_slice_mut(&mut self.pages[..whole])
    }

    fn whole<'a, T>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[..bytes.len() / size_of::<T>() * size_of::<T>()]
    }
}
