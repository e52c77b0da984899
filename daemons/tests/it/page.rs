//! The page at `/` in a real browser: headless Chromium, driven over the WebDriver protocol of its own driver.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::daemon::until;
use crate::identity::Site;

/// A browser window. The driver ends the browser with the session, and ends itself with this.
struct Browser {
    _profile: tempfile::TempDir,
    driver: Child,
    http: reqwest::Client,
    session: String,
}

impl Browser {
    async fn open() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", profile.path())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("this test needs chromium and chromium-driver; cargo xtask test installs them");
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = said.next_line().await.unwrap().expect("its port");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        let data = profile.path().join("data");
        let arguments = [
            "--headless".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            format!("--user-data-dir={}", data.display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let base = format!("http://127.0.0.1:{port}/session");
        let opened = http.post(&base).json(&wanted).send().await.unwrap();
        let opened: Value = opened.json().await.unwrap();
        let id = opened["value"]["sessionId"].as_str();
        let id = id.unwrap_or_else(|| panic!("no browser: {opened}"));
        Self {
            session: format!("{base}/{id}"),
            _profile: profile,
            driver,
            http,
        }
    }

    async fn call(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/{path}", self.session);
        let answer = self.http.post(url).json(body).send().await.unwrap();
        let mut answer: Value = answer.json().await.unwrap();
        let error = answer["value"]["error"].as_str();
        assert!(error.is_none(), "{path}: {answer}");
        answer["value"].take()
    }

    async fn go(&self, url: &str) {
        self.call("url", &json!({"url": url})).await;
    }

    async fn run(&self, script: &str) -> Value {
        self.call("execute/sync", &json!({"script": script, "args": []}))
            .await
    }

    /// Waits until the page says that it stands so.
    async fn until_status(&self, status: &str) {
        let look = "return document.getElementById('status').dataset.status";
        until(status, async || self.run(look).await == json!(status)).await;
    }

    async fn text(&self, id: &str) -> String {
        let look = format!("return document.getElementById('{id}').textContent");
        self.run(&look).await.as_str().unwrap().to_owned()
    }

    /// What the QR code on the page says, read from its pixels.
    async fn code(&self) -> String {
        let drawn = self
            .run(
                "const image = document.getElementById('qr'), size = 560;
                 if (!image.complete || image.naturalWidth === 0) return null;
                 const canvas = document.createElement('canvas');
                 canvas.width = canvas.height = size;
                 const context = canvas.getContext('2d');
                 context.imageSmoothingEnabled = false;
                 context.drawImage(image, 0, 0, size, size);
                 const pixels = context.getImageData(0, 0, size, size).data;
                 return Array.from({length: size * size}, (_, n) => pixels[4 * n] > 127 ? '1' : '0').join('');",
            )
            .await;
        let pixels = drawn.as_str().unwrap_or_default().as_bytes();
        if pixels.is_empty() {
            return String::new();
        }
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(560, 560, |x, y| {
            if pixels[y * 560 + x] == b'1' { 255 } else { 0 }
        });
        let codes = image.detect_grids();
        assert_eq!(codes.len(), 1, "one code is on the page");
        codes[0].decode().unwrap().1
    }

    async fn close(mut self) {
        let closed = self.http.delete(&self.session).send().await;
        assert!(closed.is_ok());
        self.driver.start_kill().unwrap();
        self.driver.wait().await.unwrap();
    }
}

#[tokio::test]
async fn a_browser_shows_the_code_follows_the_login_and_shows_what_the_token_says() {
    let site = Site::start().await;
    let browser = Browser::open().await;
    browser.go(&site.identity.url("/")).await;
    browser.until_status("waiting").await;
    until("the code to be drawn", async || {
        !browser.code().await.is_empty()
    })
    .await;
    let code: Value = serde_json::from_str(&browser.code().await).unwrap();
    assert_eq!(
        (&code["protocol"], &code["type"], &code["appName"]),
        (&json!("tana"), &json!("auth"), &json!("Tana identity"))
    );
    let public = code["sessionId"].as_str().unwrap();
    let shown = browser.text("command").await;
    assert_eq!(shown, format!("tana phone approve {public} --user NAME"));

    // The phone reads the code, and the page says so by itself.
    let path = format!("/auth/session/{public}");
    let seen = site.identity.get(&path).await.ok(200);
    browser.until_status("scanned").await;
    let body = site
        .alice
        .approval_of(public, seen["challenge"].as_str().unwrap());
    let path = format!("/auth/session/{public}/approve");
    site.identity.post(&path, &body).await.ok(200);
    browser.until_status("approved").await;
    assert_eq!(browser.text("username").await, "@alice");
    assert_eq!(browser.text("userId").await, site.alice.id.to_string());
    let key = site.alice.key.public().to_string();
    assert_eq!(browser.text("publicKey").await, key);

    // The token outlives the page; a log-out ends it, and a new code is shown.
    browser.go(&site.identity.url("/")).await;
    browser.until_status("approved").await;
    let token = browser
        .run("return sessionStorage.getItem('tana-token')")
        .await;
    browser
        .run("document.getElementById('logout').click()")
        .await;
    browser.until_status("waiting").await;
    let body = json!({"sessionToken": token});
    let ended = site.identity.post("/auth/session/validate", &body).await;
    assert_eq!(ended.problem(401), "bad-token");

    let log = browser.call("se/log", &json!({"type": "browser"})).await;
    let wrong: Vec<&Value> = log
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["level"] == "SEVERE")
        .filter(|entry| !entry["message"].to_string().contains("favicon.ico"))
        .collect();
    assert!(wrong.is_empty(), "the browser complains: {wrong:?}");
    browser.close().await;
}

#[tokio::test]
async fn a_rejection_and_an_expiry_are_shown_and_the_code_goes() {
    let lives = Duration::from_secs(4);
    let site = Site::with(|config| config.code_lives = lives).await;
    let browser = Browser::open().await;
    browser.go(&site.identity.url("/")).await;
    browser.until_status("waiting").await;
    let command = browser.text("command").await;
    let public = command.split(' ').nth(3).unwrap();
    let path = format!("/auth/session/{public}/reject");
    let reason = json!({"reason": "not me"});
    site.identity.post(&path, &reason).await.ok(200);
    browser.until_status("rejected").await;
    assert!(browser.text("status").await.contains("not me"));
    assert_eq!(
        browser
            .run("return document.getElementById('qr').hidden")
            .await,
        true
    );
    browser
        .run("document.getElementById('again').click()")
        .await;
    browser.until_status("waiting").await;
    browser.until_status("expired").await;
    browser.close().await;
}
