//! The Protocol Buffers descriptor sets of the configuration, in their last good version.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use ouli_codec::grpc::Schema;
use ouli_config::Config;
use ouli_message::error_chain::error_chain;

/// A path and the content of the file.
type File = (PathBuf, Arc<[u8]>);

/// The files and the message types in them.
#[derive(Clone, Default)]
pub(super) struct ProtoDescriptors {
    files: Vec<File>,
    schema: Schema,
    /// Why the files on disk are not in force.
    last_error: Option<String>,
}

impl ProtoDescriptors {
    /// Reads the files that the configuration names.
    ///
    /// # Errors
    /// Names the file that cannot be used and the reason.
    pub(super) fn read(config: &Config) -> Result<Self, String> {
        let files = files(config)?;
        let schema = parse_schema(&files)?;
        Ok(Self {
            files,
            schema,
            last_error: None,
        })
    }

    /// The message types.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads the files again. Returns false if nothing changed, or if the change is invalid, which
    /// is logged.
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
            Err(error) => {
                if self.last_error.as_ref() != Some(&error) {
                    tracing::error!("{error}\n  the last good descriptor sets stay in force");
                }
                self.last_error = Some(error);
                false
            }
        }
    }
}

/// The message types of the descriptor sets that the configuration names.
///
/// # Errors
/// Names the file that cannot be used and the reason.
pub fn load_schema(config: &Config) -> Result<Schema, String> {
    ProtoDescriptors::read(config).map(|read| read.schema)
}

fn files(config: &Config) -> Result<Vec<File>, String> {
    let max_size = config.limits.proto_descriptor_file;
    let read = config.proto_descriptors.iter().map(|path| {
        let name = path.display();
        let bytes = ouli_files::read(path, max_size).map_err(|error| match error.kind() {
            ErrorKind::FileTooLarge => format!(
                "proto_descriptors: {name} is larger than {max_size} bytes; raise \
                 `limits.proto_descriptor_file`"
            ),
            _ => format!("proto_descriptors: {name}: {error}"),
        })?;
        Ok((path.clone(), bytes.into()))
    });
    read.collect()
}

fn parse_schema(files: &[File]) -> Result<Schema, String> {
    let mut schema = Schema::default();
    for (path, bytes) in files {
        schema.add(bytes).map_err(|error| {
            format!(
                "proto_descriptors: {} is not a descriptor set: {}; create one with: protoc \
                 --include_imports --descriptor_set_out=FILE your.proto",
                path.display(),
                error_chain(&error)
            )
        })?;
    }
    Ok(schema)
}
