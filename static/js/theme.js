// Sets the theme before the first paint, so it is a classic script in <head>. The choice is kept in localStorage "theme";
// without one the system decides. The class "js" tells the style sheet that buttons which need a script may show.
(function () {
  "use strict";
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      var kept = localStorage.getItem("theme");
      return kept === "light" || kept === "dark" ? kept : "";
    } catch (refused) {
      return "";
    }
  }

  function apply() {
    root.dataset.bsTheme = chosen() || (dark.matches ? "dark" : "light");
    document.dispatchEvent(new CustomEvent("themechange"));
  }

  root.classList.add("js");
  apply();
  dark.addEventListener("change", apply);
  window.addEventListener("storage", function (event) {
    if (event.key === "theme") apply();
  });
  document.addEventListener("click", function (event) {
    if (!event.target.closest || !event.target.closest("[data-theme-toggle]")) return;
    try {
      localStorage.setItem("theme", root.dataset.bsTheme === "dark" ? "light" : "dark");
    } catch (refused) {
      root.dataset.bsTheme = root.dataset.bsTheme === "dark" ? "light" : "dark";
      return;
    }
    apply();
  });
})();
