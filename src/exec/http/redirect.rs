//! Redirects: where to next, and with what. As browsers do it (Fetch standard, "HTTP-redirect fetch").

use reqwest::{Method, Url};

/// The next request.
#[derive(Debug, PartialEq)]
pub(super) struct Hop {
    /// Its method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Does it go to the same scheme, host and port? If not, it takes no credentials with it.
    pub same_origin: bool,
    /// Does it take the body with it?
    pub body: bool,
}

/// The next request after an answer with this status and `Location`: none if it is no redirect.
///
/// # Errors
/// The place cannot be gone to: why, to be put behind "redirects to `…`, ".
pub(super) fn next(
    method: &Method,
    from: &Url,
    status: u16,
    location: Option<&[u8]>,
) -> Result<Option<Hop>, &'static str> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = location else { return Ok(None) };
    let mut url = from.join(&String::from_utf8_lossy(location)).map_err(|_| "which is no URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("which is neither http nor https");
    }
    let same_origin = url.origin() == from.origin();
    if same_origin && url.username().is_empty() {
        // Cannot fail for http and https.
        let _ = url.set_username(from.username());
        let _ = url.set_password(from.password());
    }
    let becomes_get = match status {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::GET && *method != Method::HEAD,
        _ => false,
    };
    let method = if becomes_get { Method::GET } else { method.clone() };
    Ok(Some(Hop { method, url, same_origin, body: !becomes_get }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(method: Method, status: u16, location: &str) -> Hop {
        let from = Url::parse("https://ada:pw@example.org:8443/a/b?c").unwrap();
        next(&method, &from, status, Some(location.as_bytes())).unwrap().unwrap()
    }

    #[test]
    fn only_a_post_becomes_a_get() {
        for (method, status, then) in [
            (Method::POST, 301, Method::GET),
            (Method::POST, 302, Method::GET),
            (Method::PUT, 302, Method::PUT),
            (Method::PUT, 303, Method::GET),
            (Method::HEAD, 303, Method::HEAD),
            (Method::POST, 307, Method::POST),
            (Method::POST, 308, Method::POST),
        ] {
            let hop = hop(method.clone(), status, "/x");
            assert_eq!(hop.method, then, "{method} {status}");
            assert_eq!(hop.body, hop.method == method, "{method} {status}");
        }
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let relative = hop(Method::GET, 302, "../x");
        assert_eq!((relative.url.as_str(), relative.same_origin), ("https://ada:pw@example.org:8443/x", true));
        assert!(hop(Method::GET, 302, "https://example.org:8443/y").url.password().is_some());
        for other in ["https://example.com:8443/", "http://example.org:8443/", "https://example.org/", "//other/x"] {
            let hop = hop(Method::GET, 302, other);
            assert!(!hop.same_origin && hop.url.password().is_none(), "{other}");
        }
    }

    #[test]
    fn what_is_no_redirect_is_an_answer() {
        let from = Url::parse("http://example.org/").unwrap();
        let next = |status, location: Option<&str>| next(&Method::GET, &from, status, location.map(str::as_bytes));
        assert_eq!(next(304, Some("/x")), Ok(None));
        assert_eq!(next(302, None), Ok(None));
        assert_eq!(next(302, Some("ftp://example.org/")), Err("which is neither http nor https"));
        assert_eq!(next(302, Some("http://[")), Err("which is no URL"));
    }
}
