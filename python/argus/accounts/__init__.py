"""What people ask for by mail before they have proved anything: links and codes, and the asking itself."""
