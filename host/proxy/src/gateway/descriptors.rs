//! Descriptor sets of protocol buffers, in their last good version.

use std::path::PathBuf;
use std::sync::Arc;

use super::source_files;
use ouli_codec::grpc::Schema;
use ouli_config::Config;
use ouli_message::error_chain::error_chain;

/// A path and what stands there.
type File = (PathBuf, Arc<[u8]>);

/// The files that were read, and what they tell.
#[derive(Clone, Default)]
pub(super) struct ProtoDescriptors {
    files: Vec<File>,
    schema: Schema,
    /// Why the files that are there now are not in force.
    last_error: Option<String>,
}

impl ProtoDescriptors {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// Names the file that cannot be used, and says why.
    pub(super) fn read(config: &Config) -> Result<Self, String> {
        let files = files(config)?;
        let schema = parse_schema(&files)?;
        Ok(Self {
            files,
            schema,
            last_error: None,
        })
    }

    /// How messages are read.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads the files again. False where nothing changed, or what changed is broken and was
    /// reported.
    pub(super) fn reload(&mut self, config: &Config) -> bool {
        let read = files(config).and_then(|files| {
            if files == self.files {
                return Ok(None);
            }
            let schema = parse_schema(&files)?;
            Ok(Some((files, schema)))
        });
        match read {
            Ok(None) => {
                self.last_error = None;
                false
            }
            Ok(Some((files, schema))) => {
                *self = Self {
                    files,
                    schema,
                    last_error: None,
                };
                true
            }
            Err(fault) => {
                if self.last_error.as_ref() != Some(&fault) {
                    tracing::error!("{fault}\n  the last good descriptors stay in force");
                }
                self.last_error = Some(fault);
                false
            }
        }
    }
}

/// How messages are read by the descriptor sets that the configuration names.
///
/// # Errors
/// Names the file that cannot be used, and says why.
pub fn load_schema(config: &Config) -> Result<Schema, String> {
    ProtoDescriptors::read(config).map(|read| read.schema)
}

fn files(config: &Config) -> Result<Vec<File>, String> {
    let most = config.limits.proto_descriptor_file;
    let read = config.proto_descriptors.iter().map(|path| {
        let shown = path.display();
        let bytes = source_files::read_limited(path, most);
        let bytes = bytes.map_err(|error| format!("proto_descriptors: {shown}: {error}"))?;
        if bytes.len() > most {
            return Err(format!(
                "proto_descriptors: {shown} has more than {most} bytes; raise `limits.proto_descriptor_file`"
            ));
        }
        Ok((path.clone(), bytes))
    });
    read.collect()
}

fn parse_schema(files: &[File]) -> Result<Schema, String> {
    let mut schema = Schema::default();
    for (path, bytes) in files {
        schema.add(bytes).map_err(|error| {
            format!(
                "proto_descriptors: {} is not a descriptor set: {}; make one with: protoc \
                 --include_imports --descriptor_set_out=FILE your.proto",
                path.display(),
                error_chain(&error)
            )
        })?;
    }
    Ok(schema)
}
