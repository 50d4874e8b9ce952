//! Sources of kind `local`. Imports the reader.

use std::path::PathBuf;

use entitled_model::MapRule;

use super::map;
use crate::config::file;
use crate::config::reader::Section;
use crate::config::writer::Page;

/// An entitlements backend without a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalConfig {
    /// The file it answers from, relative to the working directory; it was readable at load. Default: none.
    pub file: Option<PathBuf>,
    /// The mapped entitlements. Default: none.
    pub map: Vec<MapRule>,
}

impl LocalConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let file = section.key("file").parsed("the path of a readable file", |text| {
            let path = PathBuf::from(text);
            file::check_readable(&path)
                .map_err(|cause| format!("the file {} cannot be read: {cause}", path.display()))?;
            Ok(path)
        });
        Self { file, map: map::read(section) }
    }

    pub(super) fn show(&self, path: &str, page: &mut Page) {
        let Self { file, map } = self;
        page.put_some("file", file.as_ref().map(|file| file.display().to_string()));
        map::show(map, path, page);
    }
}
