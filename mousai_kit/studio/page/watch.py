"""Watch: the page asks now and then whether its studio is there, and says where it is not."""

from __future__ import annotations

STOPPED = "The studio was stopped. Start it again with mousai-kit studio; finished clips are kept."
"""What the page says then."""
WATCH = f"""
() => {{
  let banner = null, missed = 0;
  const ask = async () => {{
    try {{
      const answer = await fetch("gradio_api/startup-events", {{cache: "no-store"}});
      return answer.status < 500;
    }} catch {{
      return false;
    }}
  }};
  const look = async () => {{
    missed = await ask() ? 0 : missed + 1;
    if (missed > 1 && !banner) {{
      banner = document.createElement("div");
      banner.className = "studio-stopped";
      banner.setAttribute("role", "alert");
      document.body.append(banner);
      banner.textContent = {STOPPED!r};
    }} else if (!missed && banner) {{
      banner.remove();
      banner = null;
    }}
    setTimeout(look, missed ? 1000 : 3000);
  }};
  look();
}}
"""
"""What the browser runs: it asks where the page came from, and nobody else."""
