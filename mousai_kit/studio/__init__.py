"""Studio: a page where music is made, compared and judged. What is in here but `page` needs no
Gradio.
"""
