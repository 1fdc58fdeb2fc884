// The components of the player. Only what the portal uses is imported, to keep the bundle small.
import "media-chrome/media-controller.js";
import "media-chrome/media-control-bar.js";
import "media-chrome/media-gesture-receiver.js";
import "media-chrome/media-play-button.js";
import "media-chrome/media-seek-backward-button.js";
import "media-chrome/media-seek-forward-button.js";
import "media-chrome/media-mute-button.js";
import "media-chrome/media-volume-range.js";
import "media-chrome/media-time-display.js";
import "media-chrome/media-time-range.js";
import "media-chrome/media-preview-time-display.js";
import "media-chrome/media-live-button.js";
import "media-chrome/media-captions-button.js";
import "media-chrome/media-airplay-button.js";
import "media-chrome/media-pip-button.js";
import "media-chrome/media-fullscreen-button.js";
import "media-chrome/menu/media-settings-menu.js";
import "media-chrome/menu/media-settings-menu-button.js";
import "media-chrome/menu/media-settings-menu-item.js";
import "media-chrome/menu/media-rendition-menu.js";
import "media-chrome/menu/media-playback-rate-menu.js";
import "media-chrome/menu/media-captions-menu.js";
import "media-chrome/menu/media-audio-track-menu.js";
import "media-chrome/lang/de.js";
import "media-chrome/lang/es.js";
import "media-chrome/lang/fr.js";

export { Hls } from "hls-video-element";
