//! A small HTTP server for the tests: it says exactly what a test wants it to say, byte for byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// With names in small letters, in the order in which they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The number of its connection.
    pub connection: usize,
    /// How many came before it.
    pub number: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }
}

/// A connection on which a request came.
pub trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

/// What is said to a request. The connection is closed after bytes that do not say how long the body is.
pub type Answer = dyn Fn(&Request, &mut dyn Connection) + Send + Sync;

/// A server on a port of its own.
pub struct Server {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn new(answer: impl Fn(&Request, &mut dyn Connection) + Send + Sync + 'static) -> Self {
        Self::over(|stream| Some(Box::new(stream)), answer)
    }

    /// A server that talks over something on top of TCP.
    pub fn over(
        layer: impl Fn(TcpStream) -> Option<Box<dyn Connection>> + Send + Sync + 'static,
        answer: impl Fn(&Request, &mut dyn Connection) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (all, answer, layer) = (requests.clone(), Arc::new(answer), Arc::new(layer));
        // It ends with the test program.
        thread::spawn(move || {
            let connections = AtomicUsize::new(0);
            for stream in listener.incoming() {
                let connection = connections.fetch_add(1, Ordering::Relaxed);
                let (all, answer, layer) = (all.clone(), answer.clone(), layer.clone());
                thread::spawn(move || {
                    if let Some(stream) = layer(stream.expect("a connection")) {
                        talk(stream, connection, &all, &*answer);
                    }
                });
            }
        });
        Server { port, requests }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("the requests").clone()
    }

    /// The only request.
    pub fn request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().expect("one")
    }
}

fn talk(stream: Box<dyn Connection>, connection: usize, all: &Mutex<Vec<Request>>, answer: &Answer) {
    let mut stream = BufReader::new(stream);
    while let Some(mut request) = read(&mut stream) {
        request.connection = connection;
        {
            let mut all = all.lock().expect("the requests");
            request.number = all.len();
            all.push(request.clone());
        }
        let mut said = Said { stream: stream.get_mut(), bytes: Vec::new() };
        answer(&request, &mut said);
        let head = String::from_utf8_lossy(&said.bytes).to_lowercase();
        let knows_its_end = head.contains("content-length:") || head.contains("chunked") || head.contains(" 204 ");
        if !knows_its_end || head.contains("connection: close") {
            return;
        }
    }
}

/// Remembers what is said, to know whether the connection can be used again.
struct Said<'a> {
    stream: &'a mut Box<dyn Connection>,
    bytes: Vec<u8>,
}

impl Read for Said<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Said<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() < 4096 {
            self.bytes.extend(bytes);
        }
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

fn read(stream: &mut BufReader<Box<dyn Connection>>) -> Option<Request> {
    let line = line(stream)?;
    let mut words = line.split(' ');
    let mut request = Request { method: words.next()?.into(), target: words.next()?.into(), ..Request::default() };
    loop {
        let line = self::line(stream)?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.push((name.to_lowercase(), value.trim().into()));
    }
    if let Some(length) = request.header("content-length") {
        request.body = vec![0; length.parse().ok()?];
        stream.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}

fn line(stream: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (stream.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

/// Says an answer with a body and headers, `\r\n` after each.
pub fn say(to: &mut dyn Connection, status: &str, headers: &str, body: impl AsRef<[u8]>) {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    raw(to, [head.as_bytes(), body].concat());
}

pub fn json(to: &mut dyn Connection, body: &str) {
    say(to, "200 OK", "Content-Type: application/json\r\n", body);
}

pub fn text(to: &mut dyn Connection, body: &str) {
    say(to, "200 OK", "Content-Type: text/plain\r\n", body);
}

/// Says bytes. The other side may have gone.
pub fn raw(to: &mut dyn Connection, bytes: impl AsRef<[u8]>) {
    let _ = to.write_all(bytes.as_ref()).and_then(|()| to.flush());
}

/// Says nothing until the other side goes.
pub fn wait_for_the_end(of: &mut dyn Connection) {
    let _ = of.read_to_end(&mut Vec::new());
}
