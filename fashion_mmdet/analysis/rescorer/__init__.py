"""A small model that judges detections: how sure is this one to hit, given all others of the photo?"""
