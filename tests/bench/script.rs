//! The script that a person would write instead, and the Python that it needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PACKAGES: [&str; 2] = ["httpx==0.28.1", "pyyaml==6.0.4"];

/// A Python that has what the script needs.
pub struct Script {
    python: PathBuf,
}

impl Script {
    /// Makes a virtual environment in `folder`, unless there is one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn prepare(folder: &Path) -> Result<Self, String> {
        let venv = folder.join("venv");
        let python = venv.join("bin/python");
        if done(Command::new(&python).args(["-c", "import httpx, yaml"])).is_err() {
            done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            done(Command::new(&python).args(pip).args(PACKAGES))?;
        }
        Ok(Self { python })
    }

    /// The script as a command in an empty environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.env_clear().arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/httpx_plan.py"));
        command
    }
}

fn done(command: &mut Command) -> Result<(), String> {
    let program = Path::new(command.get_program()).display().to_string();
    let Output { status, stdout: _, stderr } =
        command.output().map_err(|error| format!("`{program}`: {error}"))?;
    if status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&stderr);
    Err(format!("`{program}`: {status}: {}", stderr.trim().lines().last().unwrap_or_default()))
}
