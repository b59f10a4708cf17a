//! Reason why a value of a tenant could not be read.

use std::fmt;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};

/// Why a value could not be read. Values with the same [`cause_key`](Self::cause_key) share one cause.
/// The texts are shared, because one response may concern many values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Id of the problem.
    pub code: Code,
    /// What happened, without the request.
    pub cause: Arc<str>,
    /// What the response means, if that is known.
    pub meaning: Option<Arc<str>>,
    /// What to do, if that is known.
    pub hint: Option<Arc<str>>,
    /// Request with its ids, if one was sent.
    pub request: Option<Arc<str>>,
}

impl ReadError {
    /// Creates an error with only a code and a cause, if no single request explains it.
    pub fn new(code: Code, cause: impl Into<Arc<str>>) -> Self {
        Self { code, cause: cause.into(), meaning: None, hint: None, request: None }
    }

    /// Returns code, cause and meaning, which are equal for all values that one cause keeps from being read.
    pub fn cause_key(&self) -> (Code, &str, Option<&str>) {
        (self.code, &self.cause, self.meaning.as_deref())
    }

    /// Returns whether the cause is a host or the sign-in, whatever was to be read: it keeps every request of the
    /// tenant from being answered, so it is the message.
    pub fn concerns_every_request(&self) -> bool {
        matches!(self.code, Code::GraphUnreachable | Code::SignInFailed)
    }

    /// Creates the error of a cause that [concerns every request](Self::concerns_every_request): the cause itself,
    /// its meaning and the hint.
    pub fn common_diagnostic(&self) -> Diagnostic {
        Self { request: None, ..self.clone() }.add_details(Diagnostic::error(self.code, &*self.cause))
    }

    /// Adds the cause and its meaning as causes of a problem, the request as a note, and the hint.
    pub fn explain(&self, problem: Diagnostic) -> Diagnostic {
        self.add_details(problem.caused_by(&*self.cause))
    }

    /// Creates an error with the message `subject: cause`, and adds the meaning, the request and the hint.
    /// `subject` is what could not be read.
    pub fn diagnostic(&self, subject: &str) -> Diagnostic {
        self.add_details(Diagnostic::error(self.code, format!("{subject}: {}", self.cause)))
    }

    fn add_details(&self, mut problem: Diagnostic) -> Diagnostic {
        problem.causes.extend(self.meaning.as_deref().map(str::to_owned));
        problem.notes.extend(self.request.as_ref().map(|request| format!("request: {request}")));
        problem.hints.extend(self.hint.as_deref().map(str::to_owned));
        problem
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Some(request) => write!(f, "{request}: {}", self.cause),
            None => f.write_str(&self.cause),
        }
    }
}
