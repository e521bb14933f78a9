//! Output macros. A closed pipe, as behind `| head`, does not end the program with a panic.

/// Prints a line on stdout.
macro_rules! outln {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        // The reader has closed the pipe.
        let _ = writeln!(std::io::stdout(), $($line)*);
    }};
}

/// Prints a line on stderr.
macro_rules! errln {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        // The reader has closed the pipe.
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}

pub(super) use {errln, outln};
