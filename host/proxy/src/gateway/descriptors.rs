//! Descriptor sets of protocol buffers, in their last good version.

use std::path::PathBuf;
use std::sync::Arc;

use super::source_files;
use ouli_codec::grpc::Schema;
use ouli_config::Config;
use ouli_message::error_chain::chain;

/// A path and what stands there.
type File = (PathBuf, Arc<[u8]>);

/// The files that were read, and what they tell.
#[derive(Clone, Default)]
pub(super) struct Descriptors {
    files: Vec<File>,
    schema: Schema,
    /// Why the files that are there now are not in force.
    fault: Option<String>,
}

impl Descriptors {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// Names the file that cannot be used, and says why.
    pub(super) fn read(config: &Config) -> Result<Self, String> {
        let files = files(config)?;
        let schema = parse(&files)?;
        Ok(Self {
            files,
            schema,
            fault: None,
        })
    }

    /// How messages are read.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads the files again. False where nothing changed, or what changed is broken and was
    /// reported.
    pub(super) fn renew(&mut self, config: &Config) -> bool {
        let read = files(config).and_then(|files| {
            if files == self.files {
                return Ok(None);
            }
            let schema = parse(&files)?;
            Ok(Some((files, schema)))
        });
        match read {
            Ok(None) => {
                self.fault = None;
                false
            }
            Ok(Some((files, schema))) => {
                *self = Self {
                    files,
                    schema,
                    fault: None,
                };
                true
            }
            Err(fault) => {
                if self.fault.as_ref() != Some(&fault) {
                    tracing::error!("{fault}\n  the last good descriptors stay in force");
                }
                self.fault = Some(fault);
                false
            }
        }
    }
}

/// How messages are read by the descriptor sets that the configuration names.
///
/// # Errors
/// Names the file that cannot be used, and says why.
pub fn schema(config: &Config) -> Result<Schema, String> {
    Descriptors::read(config).map(|read| read.schema)
}

fn files(config: &Config) -> Result<Vec<File>, String> {
    let most = config.limits.descriptor_file;
    let read = config.descriptors.iter().map(|path| {
        let shown = path.display();
        let bytes = source_files::read(path, most);
        let bytes = bytes.map_err(|error| format!("descriptors: {shown}: {error}"))?;
        if bytes.len() > most {
            return Err(format!(
                "descriptors: {shown} has more than {most} bytes; raise `limits.descriptor_file`"
            ));
        }
        Ok((path.clone(), bytes))
    });
    read.collect()
}

fn parse(files: &[File]) -> Result<Schema, String> {
    let mut schema = Schema::default();
    for (path, bytes) in files {
        schema.add(bytes).map_err(|error| {
            format!(
                "descriptors: {} is not a descriptor set: {}; make one with: protoc \
                 --include_imports --descriptor_set_out=FILE your.proto",
                path.display(),
                chain(&error)
            )
        })?;
    }
    Ok(schema)
}
