// The two films as one, and the timeline on them. The result comes and goes, so all events are
// heard at the document.
(() => {
  const resultOf = element => element.closest && element.closest(".vis-result");
  const film = (result, role) => result.querySelector(`video.vis-${role}`);
  const indices = new WeakMap();

  const indexOf = result => {
    if (!indices.has(result)) indices.set(result, JSON.parse(result.dataset.index));
    return indices.get(result);
  };

  const clock = seconds => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;

  const showPlace = result => {
    const { edges, frames } = indexOf(result);
    const time = film(result, "annotated").currentTime;
    let place = edges.findIndex(edge => edge > time) - 1;
    if (place < 0) place = frames.length - 1;
    const at = Math.min(1, time / edges[edges.length - 1]);
    result.style.setProperty("--vis-at", `${(100 * at).toFixed(3)}%`);
    result.querySelector(".vis-place").textContent = `frame ${frames[place]}, ${clock(edges[place])}`;
  };

  document.addEventListener("click", event => {
    const button = event.target.closest && event.target.closest("[data-from]");
    const result = button && resultOf(button);
    if (!result) return;
    const from = Number(button.dataset.from), to = Number(button.dataset.to || from);
    const box = button.getBoundingClientRect();
    // a click of the keyboard has no place: the first frame
    const part = event.detail ? Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) : 0;
    const { edges } = indexOf(result);
    const time = from + part * (to - from);
    const place = Math.max(0, edges.findIndex(edge => edge > time) - 1);
    // the middle of the frame: players round, and show the one before at its edge
    const middle = (edges[place] + edges[place + 1]) / 2;
    const annotated = film(result, "annotated");
    annotated.pause();
    annotated.currentTime = middle;
  });

  const follow = event => {
    const result = resultOf(event.target);
    if (!result || !event.target.matches("video.vis-annotated")) return;
    const leader = event.target, original = film(result, "original");
    showPlace(result);
    if (original.readyState === 0) return;
    original.playbackRate = leader.playbackRate;
    // while both play, only a lag that one sees is mended: each seek stutters
    const most = leader.paused ? 0.001 : 0.15;
    if (Math.abs(original.currentTime - leader.currentTime) > most) original.currentTime = leader.currentTime;
    if (leader.paused !== original.paused) leader.paused ? original.pause() : original.play().catch(() => {});
  };

  // events of media do not bubble, but are captured on the way down
  for (const name of ["play", "pause", "seeking", "seeked", "timeupdate", "ratechange", "loadeddata"])
    document.addEventListener(name, follow, true);
  document.addEventListener("error", event => {
    if (!event.target.matches || !event.target.matches(".vis-result video")) return;
    event.target.hidden = true;
    event.target.parentElement.querySelector(".vis-unplayable").classList.add("vis-on");
  }, true);
})();
