// Looking closer at a drawing. The page says everything without this.
(function () {
  "use strict";
  document.documentElement.classList.add("scripted");
  function clock(ms) {
    var t = Math.round(ms / 100), s = Math.floor(t / 10) % 60, m = Math.floor(t / 600), h = Math.floor(m / 60);
    var two = function (n) { return (n < 10 ? "0" : "") + n; };
    return (h ? h + ":" + two(m % 60) : m) + ":" + two(s) + "." + (t % 10);
  }
  function step(width) {
    var all = [100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 216e5];
    return all.find(function (s) { return width / s <= 10; }) || 864e5;
  }
  document.querySelectorAll(".plot").forEach(function (plot) {
    var origin = +plot.dataset.from, whole = +plot.dataset.width, from = 0, width = whole;
    var body = plot.querySelector(".body"), grid = plot.querySelector(".grid"), lines = grid.querySelector("g");
    var ticks = plot.querySelector(".ticks"), words = Array.from(plot.querySelectorAll(".body em"), function (e) {
      return { e: e, left: parseFloat(e.style.left), width: parseFloat(e.style.width) };
    });
    var back = document.createElement("button");
    back.type = "button"; back.className = "zoomed"; back.textContent = "show all"; back.hidden = true;
    plot.append(back);
    function show(f, w) {
      width = Math.min(whole, Math.max(500, Math.round(w)));
      from = Math.min(whole - width, Math.max(0, Math.round(f)));
      plot.querySelectorAll(".strip").forEach(function (s) { s.setAttribute("viewBox", from + " 0 " + width + " 20"); });
      grid.setAttribute("viewBox", from + " 0 " + width + " 10");
      words.forEach(function (x) {
        var l = (x.left / 100 * whole - from) / width * 100, r = l + x.width / 100 * whole / width * 100;
        var at = Math.max(l, isNaN(r) ? l : 0);
        x.e.style.left = at + "%";
        if (!isNaN(r)) x.e.style.width = Math.max(0, Math.min(r, 100) - at) + "%";
        x.e.hidden = isNaN(r) ? l < 0 || l > 100 : (Math.min(r, 100) - at) / 100 * grid.getBoundingClientRect().width < 8 + 6.2 * x.e.textContent.length;
      });
      var d = step(width), marks = [], paths = [];
      for (var t = Math.ceil((origin + from) / d) * d; t <= origin + from + width; t += d) {
        var m = document.createElement("time");
        m.style.left = (t - origin - from) / width * 100 + "%";
        m.textContent = d < 1000 ? clock(t) : clock(t).slice(0, -2);
        marks.push(m);
        var p = document.createElementNS(grid.namespaceURI, "path");
        p.setAttribute("d", "M" + (t - origin) + " 0v10");
        paths.push(p);
      }
      ticks.replaceChildren.apply(ticks, marks);
      lines.replaceChildren.apply(lines, paths);
      back.hidden = width === whole;
    }
    show(0, whole); // texts that do not fit on this screen go
    addEventListener("resize", function () { show(from, width); });
    function at(x) { // a place on the screen as a time in the drawing
      var r = grid.getBoundingClientRect();
      return { ms: from + (x - r.left) / r.width * width, left: x - body.getBoundingClientRect().left, inside: x >= r.left && x <= r.right };
    }
    var cursor = document.createElement("div"), label = document.createElement("span"), mark = document.createElement("div"), begun = null;
    cursor.className = "cursor"; cursor.hidden = true; cursor.append(label);
    mark.className = "span"; mark.hidden = true;
    body.append(cursor, mark);
    body.addEventListener("pointermove", function (e) {
      var p = at(e.clientX);
      cursor.hidden = !p.inside || e.pointerType === "touch";
      cursor.style.left = p.left + "px";
      label.textContent = clock(origin + p.ms);
      if (begun && Math.abs(p.left - begun.left) > 6) {
        mark.hidden = false;
        mark.style.left = Math.min(begun.left, p.left) + "px";
        mark.style.width = Math.abs(p.left - begun.left) + "px";
      }
    });
    body.addEventListener("pointerleave", function () { cursor.hidden = true; mark.hidden = true; begun = null; });
    body.addEventListener("pointerdown", function (e) {
      var p = at(e.clientX);
      begun = p.inside && e.button === 0 && e.pointerType !== "touch" ? p : null;
    });
    var dragged = false;
    body.addEventListener("pointerup", function (e) {
      var p = at(e.clientX), b = begun;
      begun = null;
      dragged = !mark.hidden;
      mark.hidden = true;
      if (b && dragged) show(Math.min(b.ms, p.ms), Math.abs(b.ms - p.ms));
    });
    body.addEventListener("click", function (e) { if (dragged) { e.preventDefault(); dragged = false; } }, true);
    body.addEventListener("dblclick", function () { show(0, whole); });
    back.addEventListener("click", function () { show(0, whole); });
  });
})();
