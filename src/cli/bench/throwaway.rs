//! A store that is made to be thrown away.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::cli::Setup;
use crate::engine::Engine;
use crate::error::{Error, Result};

/// An engine over an empty store of its own, with all other settings as they are.
pub(super) struct Throwaway {
    pub(super) engine: Engine,
    folder: PathBuf,
}

impl Throwaway {
    /// A store in a new folder, or, where PostgreSQL is configured and not declined with
    /// `sqlite`, in a new schema of that database.
    ///
    /// # Errors
    /// Where no folder can be made, or `store` is not a store that can be had.
    pub(super) fn new(setup: &Setup, store: Option<&str>, number: usize) -> Result<Self> {
        let mut config = setup.config.clone();
        match store {
            None => {}
            Some("sqlite") => (config.database.url, config.database.url_file) = (None, None),
            Some("postgres") if config.database.is_set() => {}
            Some("postgres") => {
                let what = "set SAGE_DATABASE_URL to a database in which it may make a schema";
                return Err(Error::invalid("--store", what));
            }
            Some(other) => {
                let what = format!("expected sqlite or postgres, got \"{other}\"");
                return Err(Error::invalid("--store", what));
            }
        }
        let name = format!("sage_bench_{}_{number}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(|error| Error::Io(format!("{} cannot be made: {error}", folder.display())))?;
        config.data_dir.clone_from(&folder);
        config.database.schema = name;
        config.project = None;
        let engine = Engine::new(&config);
        Ok(Self { engine, folder })
    }

    /// Removes what is in a database. Whatever happens, the folder goes.
    ///
    /// # Errors
    /// Where the database does not let go of it.
    pub(super) async fn discard(self) -> Result<()> {
        self.engine.discard().await
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        // It is in the folder for temporary files, whose keeper removes what is left.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
