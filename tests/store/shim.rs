//! Builds and loads the shim that stands between Sage and the disk.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Home, finish, skipped};

/// A compiled shim and the folders it works with.
pub struct Shim {
    library: PathBuf,
    folder: PathBuf,
    pub shadow: PathBuf,
    pub freed: PathBuf,
}

impl Shim {
    /// Compiles it into the home; without a C compiler, or where nothing can be preloaded, says
    /// that the test is skipped.
    pub fn build(home: &Home, test: &str) -> Option<Self> {
        let source = home.file("shim.c", include_str!("shim.c"));
        let library = home.path().join("shim.so");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let compiled = Command::new(compiler)
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output();
        match compiled {
            Ok(output) if output.status.success() => {}
            Ok(output) if cfg!(target_os = "linux") => {
                panic!("the shim: {}", String::from_utf8_lossy(&output.stderr))
            }
            Ok(_) => return skip(test, "the shim is for Linux"),
            Err(error) => return skip(test, &format!("no C compiler: {error}")),
        }
        // The kernel tells descriptors by their real path.
        let real = home.path().canonicalize().unwrap();
        let shim = Self {
            library,
            folder: real.join("data"),
            shadow: real.join("shadow"),
            freed: real.join("freed"),
        };
        for part in ["kept", "pending"] {
            std::fs::create_dir_all(shim.shadow.join(part)).unwrap();
        }
        let loaded = home.path().join("loaded");
        let mut command = home.command(["version"]);
        command
            .env("LD_PRELOAD", &shim.library)
            .env("SHIM_LOADED", &loaded);
        assert_eq!(finish(&mut command).code, 0);
        match loaded.exists() {
            true => Some(shim),
            false => skip(test, "nothing can be preloaded into this executable"),
        }
    }

    /// From now on the command keeps what a power cut would leave.
    pub fn keep(&self, mut command: Command) -> Command {
        self.load(&mut command).env("SHIM_SHADOW", &self.shadow);
        command
    }

    /// The same, but an fsync of files whose name ends so keeps nothing.
    pub fn keep_deaf(&self, command: Command, ending: &str) -> Command {
        let mut command = self.keep(command);
        command.env("SHIM_DEAF", ending);
        command
    }

    /// From now on the store may grow by so many bytes, until the file `freed` is there.
    pub fn limit(&self, mut command: Command, room_bytes: u64) -> Command {
        self.load(&mut command)
            .env("SHIM_ROOM", room_bytes.to_string())
            .env("SHIM_FREED", &self.freed);
        command
    }

    fn load<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("SHIM_FOLDER", &self.folder)
    }
}

fn skip(test: &str, why: &str) -> Option<Shim> {
    skipped(test, why);
    None
}
