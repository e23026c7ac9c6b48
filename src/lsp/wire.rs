//! Messages over standard input and output.

use std::io::{self, BufRead, Write};

use lsp_server::{ErrorCode, Message, RequestId, Response};

/// Longest message that is read, in bytes. A script has at most one mebibyte.
const LONGEST: usize = 64 * 1024 * 1024;

/// What was read.
pub enum Read {
    /// A message.
    Message(Message),
    /// Something in a frame that is no message; this answers it, if it is to be answered.
    Wrong(Option<Message>),
    /// Nothing more comes.
    End,
}

/// Reads a message.
///
/// # Errors
/// If nothing can be read any more, or what comes is not framed: there is no way to find the next message.
pub fn read(input: &mut impl BufRead) -> io::Result<Read> {
    let (mut length, mut begun) = (None, false);
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(Read::End);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if line.is_empty() && begun {
            break;
        }
        begun |= !line.is_empty();
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = length.filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a message has no usable length"))?;
    let mut body = vec![0; length];
    match input.read_exact(&mut body) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Read::End),
        Err(error) => return Err(error),
    }
    Ok(match serde_json::from_slice::<Message>(&body) {
        Ok(message) => Read::Message(message),
        Err(error) => wrong(&body, &error),
    })
}

/// What is in a frame but no message: it is answered if it may have been a question.
fn wrong(body: &[u8], error: &serde_json::Error) -> Read {
    let value = serde_json::from_slice::<serde_json::Value>(body).ok();
    let id = value.as_ref().and_then(|value| value.get("id")).and_then(|id| {
        let number = id.as_i64().and_then(|id| i32::try_from(id).ok()).map(RequestId::from);
        number.or_else(|| id.as_str().map(|id| id.to_owned().into()))
    });
    let is_answer = value.as_ref().is_some_and(|value| value.get("method").is_none() && id.is_some());
    if is_answer {
        return Read::Wrong(None);
    }
    let code = if value.is_some() { ErrorCode::InvalidRequest } else { ErrorCode::ParseError };
    let response =
        Response::new_err(id.unwrap_or_else(|| 0.into()), code as i32, format!("this is no message: {error}"));
    Read::Wrong(Some(Message::Response(response)))
}

/// Writes a message.
///
/// # Errors
/// If nobody reads any more.
pub fn write(output: &mut impl Write, message: Message) -> io::Result<()> {
    message.write(output)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &str) -> Vec<&'static str> {
        let mut input = io::Cursor::new(input.as_bytes().to_vec());
        let mut found = Vec::new();
        loop {
            match read(&mut input) {
                Ok(Read::Message(_)) => found.push("message"),
                Ok(Read::Wrong(_)) => found.push("wrong"),
                Ok(Read::End) => return found,
                Err(_) => {
                    found.push("error");
                    return found;
                }
            }
        }
    }

    #[test]
    fn what_is_no_message_does_not_end_it() {
        let frame = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let good = frame(r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#);
        assert_eq!(all(&good), ["message"]);
        assert_eq!(
            all(&format!("{}{}{good}", frame("{"), frame(r#"{"id":"x","method":5}"#))),
            ["wrong", "wrong", "message"]
        );
        assert_eq!(all(&format!("content-length: 2\r\nX: y\r\n\r\n{{}}\r\n{good}")), ["wrong", "message"]);
        assert_eq!(all("GET / HTTP/1.1\r\n\r\n"), ["error"]);
        assert_eq!(all("Content-Length: 99999999999999999999\r\n\r\n"), ["error"]);
        assert_eq!(all("Content-Length: 10\r\n\r\n{"), Vec::<&str>::new());
        assert_eq!(all(""), Vec::<&str>::new());
    }
}
