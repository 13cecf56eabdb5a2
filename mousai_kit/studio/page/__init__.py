"""The studio's page and endpoints, built with Gradio: all that needs it is in here."""
