// The TV's page for browsers from before 2018, without modules: it shows a code, then plays native HLS with the cookie.
// Plain ES5 on purpose; no other part of the portal runs there.
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("page-data").textContent);
  var strings = data.strings;
  var token = "";

  function byId(id) { return document.getElementById(id); }
  function say(sentence) { byId("tv-page-words").textContent = sentence; }

  function post(path, body, done, failed) {
    var request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Content-Type", "application/json");
    if (token) request.setRequestHeader("Authorization", "Bearer " + token);
    request.timeout = 15000;
    request.onload = function () {
      var answer = {};
      try { answer = JSON.parse(request.responseText); } catch (error) { answer = {}; }
      if (request.status >= 200 && request.status < 300) done(answer);
      else failed(request.status, answer);
    };
    request.onerror = request.ontimeout = function () { failed(0, {}); };
    request.send(body ? JSON.stringify(body) : null);
  }

  function later(seconds, work) { setTimeout(work, seconds * 1000); }

  function begin() {
    token = "";
    byId("entry").hidden = false;
    post("/api/tv/codes", null, function (shown) {
      byId("tv-page-code").textContent = shown.userCode.slice(0, 4) + "-" + shown.userCode.slice(4);
      byId("tv-page-qr").innerHTML = shown.qr;
      say("");
      wait(shown, new Date().getTime() + shown.expiresIn * 1000);
    }, function () {
      say(strings.unreachable_retrying);
      later(10, begin);
    });
  }

  function wait(shown, until) {
    if (new Date().getTime() > until) return begin();
    later(shown.interval, function () {
      post("/api/tv/session", { deviceCode: shown.deviceCode }, function (answer) {
        if (answer.playbackToken) play(answer);
        else wait(shown, until);
      }, function (status) {
        if (status === 0 || status === 429 || status >= 500) wait(shown, until);
        else begin();
      });
    });
    return undefined;
  }

  function stop(video, sentence) {
    video.pause();
    video.removeAttribute("src");
    video.load();
    document.body.removeChild(video);
    begin();
    later(2, function () { say(sentence); });
  }

  function play(grant) {
    var video = document.createElement("video");
    var over = false;
    token = grant.playbackToken;
    byId("entry").hidden = true;
    video.setAttribute("controls", "");
    video.setAttribute("autoplay", "");
    video.style.cssText = "position:fixed;top:0;left:0;width:100%;height:100%;background:#000";
    document.body.appendChild(video);
    function load() {
      video.src = grant.playbackBaseUrl + grant.streamPath;
      video.load();
      video.play();
    }
    function refused(status, answer) {
      if (over || status === 0 || status === 429 || status >= 500 || answer.reason === "final") return;
      over = true;
      stop(video, strings["ended_" + answer.reason] || answer.error || strings.ended_other);
    }
    function beat() {
      if (over) return;
      post("/api/playback/heartbeat", null, function () {}, refused);
      later(data.heartbeatSeconds, beat);
    }
    function renew() {
      if (over) return;
      post("/api/playback/refresh", null, function (answer) {
        token = answer.playbackToken;
        later(answer.tokenExpiresIn / 4, renew);
      }, function (status, answer) {
        refused(status, answer);
        later(60, renew);
      });
    }
    video.onerror = function () { if (!over) later(10, load); };
    later(grant.tokenExpiresIn / 4, renew);
    later(data.heartbeatSeconds, beat);
    load();
  }

  begin();
}());
